// A CUDA device on the host, for tests: what the programs that kgenn emits call of CUDA, and no more.
//
//     g++ -x c++ -I tests/backends/cuda_host network.cu
//
// Blocks run one after the other. The threads of a block are fibers: each runs until it waits for the others, at a
// barrier or at an instruction of its whole warp. Tensor cores follow the PTX manual (ldmatrix, mma.m16n8k32), thread by
// thread. Memory starts as garbage.
//
// $CUDA_HOST_DEVICES is the number of devices, $CUDA_HOST_CURRENT which of them a thread uses that has set none,
// $CUDA_HOST_MEMORY their bytes, $CUDA_HOST_CAPABILITY their compute capability times 10, $CUDA_HOST_START the number of
// the error that CUDA begins with, $CUDA_HOST_DRIVER the driver's version (0 for none), $CUDA_HOST_FAILURE that of the error that every kernel ends with.
//
// What a device may do in any order is done in the order that shows most: $CUDA_HOST_COPIES says whether copies beside
// the arithmetic happen as late as they may (0), when they are waited for, or at once (1); $CUDA_HOST_THREADS which
// threads go on: all in turns (0), the first that can (1) or the last that can (2), so that one warp is as far ahead of
// the others as it may be.
#ifndef CUDA_HOST_H
#define CUDA_HOST_H

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    explicit dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
constexpr unsigned cudaStreamNonBlocking = 1;
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76 };

namespace cuda_host {

inline dim3 thread_index(0, 0, 0), block_index(0, 0, 0), block_size;
inline cudaError_t last_error = cudaSuccess;
struct Allocation {
    size_t bytes;
    int device;
};
inline std::map<void*, Allocation> allocated;
inline size_t in_use = 0;

inline size_t setting(const char* name, size_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// ---- threads

constexpr int kWarp = 32;
constexpr size_t kStack = size_t{1} << 16;

struct Copy {
    void* to;
    const void* from;
};

// What the threads of a warp hand in for an instruction that they run together.
struct Instruction {
    const void* arguments[kWarp];
    int arrived = 0;
};

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[kStack]};
    unsigned thread = 0;
    enum { kReady, kBarrier, kWarpWait, kIdle } state = kIdle;
};

struct Block {
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<std::deque<std::vector<Copy>>> copies;  // of each thread, its groups
    std::vector<Instruction> warps;
    const std::function<void()>* kernel = nullptr;
    Fiber* current = nullptr;
    ucontext_t scheduler;
    unsigned next = 0, finished = 0, threads = 0;
    bool eager_copies = false;
    enum { kInTurns, kFirst, kLast } order = kInTurns;
};
inline Block block;

[[noreturn]] inline void fault(const char* what) {
    std::fprintf(stderr, "cuda_host: %s\n", what);
    std::abort();
}

inline void resume(Fiber& fiber) {
    block.current = &fiber;
    thread_index.x = fiber.thread;
    swapcontext(&block.scheduler, &fiber.context);
}

inline void pause(decltype(Fiber::state) why) {
    Fiber& self = *block.current;
    self.state = why;
    swapcontext(&self.context, &block.scheduler);
}

// A fiber runs threads that have not started yet, one after the other.
inline void fiber_main() {
    for (;;) {
        Fiber& self = *block.current;
        if (block.next < block.threads) {
            self.state = Fiber::kReady;
            const unsigned number = block.next++;
            self.thread = thread_index.x = block.order == Block::kLast ? block.threads - 1 - number : number;
            (*block.kernel)();
            ++block.finished;
            for (const std::vector<Copy>& group : block.copies[self.thread]) {
                if (!group.empty()) fault("a thread ended without waiting for its copies");
            }
        } else {
            pause(Fiber::kIdle);
        }
    }
}

inline Fiber& idle_fiber() {
    for (const std::unique_ptr<Fiber>& fiber : block.fibers) {
        if (fiber->state == Fiber::kIdle) return *fiber;
    }
    block.fibers.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *block.fibers.back();
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, fiber_main, 0);
    return fiber;
}

// Resume the fibers that are ready, in the block's order; tell whether there were any.
inline bool resume_ready() {
    bool ran = false;
    const size_t count = block.fibers.size();
    for (size_t i = 0; i < count; ++i) {
        if (block.fibers[i]->state != Fiber::kReady) continue;
        resume(*block.fibers[i]);
        ran = true;
        if (block.order != Block::kInTurns) i = static_cast<size_t>(-1);  // from the first again, for it may be ready
    }
    return ran;
}

inline void run_block() {
    block.next = block.finished = 0;
    block.copies.assign(block.threads, {});
    block.warps.assign((block.threads + kWarp - 1) / kWarp, {});
    while (block.next < block.threads) resume(idle_fiber());
    while (block.finished < block.threads) {
        if (resume_ready()) continue;
        unsigned waiting = 0;
        for (const std::unique_ptr<Fiber>& fiber : block.fibers) waiting += fiber->state == Fiber::kBarrier;
        if (waiting == 0 || waiting + block.finished != block.threads) fault("not all threads reach the barrier");
        if (block.finished > 0) fault("a thread ended before a barrier that others wait at");
        for (const std::unique_ptr<Fiber>& fiber : block.fibers) {
            if (fiber->state == Fiber::kBarrier) fiber->state = Fiber::kReady;
        }
    }
}

inline void launch(dim3 blocks, int threads, const std::function<void()>& kernel) {
    block.kernel = &kernel;
    block.threads = static_cast<unsigned>(threads);
    block.eager_copies = setting("CUDA_HOST_COPIES", 0) != 0;
    block.order = static_cast<decltype(block.order)>(setting("CUDA_HOST_THREADS", 0));
    block_size = dim3(block.threads);
    const bool numbered = blocks.x >= 1 && blocks.x <= 0x7fffffff && blocks.y >= 1 && blocks.y <= 65535 && blocks.z >= 1 && blocks.z <= 65535;
    if (!numbered) fault("a grid of a size that no device has");
    for (unsigned z = 0; z < blocks.z; ++z) {
        for (unsigned y = 0; y < blocks.y; ++y) {
            for (unsigned x = 0; x < blocks.x; ++x) {
                block_index = dim3(x, y, z);
                run_block();
            }
        }
    }
    last_error = static_cast<cudaError_t>(setting("CUDA_HOST_FAILURE", 0));
}

// ---- copies beside the arithmetic

inline std::deque<std::vector<Copy>>& groups() {
    std::deque<std::vector<Copy>>& mine = block.copies[block.current->thread];
    if (mine.empty()) mine.emplace_back();
    return mine;
}

inline void carry_out(const Copy& copy) {
    copy.from == nullptr ? std::memset(copy.to, 0, 16) : std::memcpy(copy.to, copy.from, 16);
}

inline void copy_async(void* to, const void* from, bool inside) {
    if (reinterpret_cast<uintptr_t>(to) % 16 != 0) fault("a copy to an address that is no multiple of 16");
    if (inside && reinterpret_cast<uintptr_t>(from) % 16 != 0) fault("a copy from an address that is no multiple of 16");
    const Copy copy{to, inside ? from : nullptr};
    if (block.eager_copies) {
        carry_out(copy);
    } else {
        groups().back().push_back(copy);
    }
}

inline void end_copies() { groups().emplace_back(); }

template <int kLeft>
inline void wait_for_copies() {
    std::deque<std::vector<Copy>>& mine = groups();
    while (mine.size() > kLeft + 1) {  // the last group is open
        for (const Copy& copy : mine.front()) carry_out(copy);
        mine.pop_front();
    }
}

// ---- tensor cores

// Hand in a thread's arguments; the last of a warp's threads computes for all.
template <typename F>
inline void together(const void* arguments, F compute) {
    const unsigned thread = block.current->thread;
    Instruction& warp = block.warps[thread / kWarp];
    warp.arguments[thread % kWarp] = arguments;
    if (++warp.arrived < kWarp) {
        pause(Fiber::kWarpWait);
        return;
    }
    warp.arrived = 0;
    compute(warp.arguments);
    for (const std::unique_ptr<Fiber>& fiber : block.fibers) {
        if (fiber->state == Fiber::kWarpWait && fiber->thread / kWarp == thread / kWarp) fiber->state = Fiber::kReady;
    }
}

inline void load_matrices(uint32_t (&parts)[4], const void* row) {
    struct Arguments {
        uint32_t* parts;
        const unsigned char* row;
    };
    const Arguments mine{parts, static_cast<const unsigned char*>(row)};
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) fault("a matrix row at an address that is no multiple of 16");
    together(&mine, [](const void** all) {
        const auto at = [all](int lane) { return static_cast<const Arguments*>(all[lane]); };
        for (int matrix = 0; matrix < 4; ++matrix) {
            unsigned banks = 0;
            for (int row = 0; row < 8; ++row) banks |= 1u << reinterpret_cast<uintptr_t>(at(matrix * 8 + row)->row) / 16 % 8;
            if (banks != 0xff) fault("two rows of a matrix in the same banks, which are read one after the other");
        }
        for (int lane = 0; lane < kWarp; ++lane) {
            for (int matrix = 0; matrix < 4; ++matrix) {
                std::memcpy(at(lane)->parts + matrix, at(matrix * 8 + lane / 4)->row + lane % 4 * 4, 4);
            }
        }
    });
}

inline void multiply_add(int32_t (&sums)[4], const uint32_t (&rows)[4], uint32_t low, uint32_t high) {
    struct Arguments {
        int32_t* sums;
        const uint32_t* rows;
        uint32_t columns[2];
    };
    const Arguments mine{sums, rows, {low, high}};
    together(&mine, [](const void** all) {
        const auto at = [all](int lane) { return static_cast<const Arguments*>(all[lane]); };
        int8_t a[16][32], b[8][32];
        for (int lane = 0; lane < kWarp; ++lane) {
            const int group = lane / 4, first = lane % 4 * 4;
            for (int i = 0; i < 4; ++i) std::memcpy(&a[group + i % 2 * 8][first + i / 2 * 16], &at(lane)->rows[i], 4);
            for (int i = 0; i < 2; ++i) std::memcpy(&b[group][first + i * 16], &at(lane)->columns[i], 4);
        }
        for (int lane = 0; lane < kWarp; ++lane) {
            for (int i = 0; i < 4; ++i) {
                const int8_t *x = a[lane / 4 + i / 2 * 8], *y = b[lane % 4 * 2 + i % 2];
                int32_t sum = 0;
                for (int k = 0; k < 32; ++k) sum += x[k] * y[k];
                at(lane)->sums[i] += sum;
            }
        }
    });
}

}  // namespace cuda_host

#define threadIdx (cuda_host::thread_index)
#define blockIdx (cuda_host::block_index)
#define blockDim (cuda_host::block_size)

inline void __syncthreads() { cuda_host::pause(cuda_host::Fiber::kBarrier); }

template <typename T>
inline T atomicAdd(T* to, T value) {
    const T before = *to;
    *to += value;
    return before;
}

inline int min(int a, int b) { return a < b ? a : b; }

inline int __popc(unsigned x) { return __builtin_popcount(x); }

inline cudaError_t cudaGetLastError() {
    const cudaError_t error = cuda_host::last_error;
    cuda_host::last_error = cudaSuccess;
    return error;
}

inline const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "an error of the stand-in";
}

inline cudaError_t cudaGetDeviceCount(int* count) {
    const auto start = static_cast<cudaError_t>(cuda_host::setting("CUDA_HOST_START", 0));
    if (start != cudaSuccess) return start;
    *count = static_cast<int>(cuda_host::setting("CUDA_HOST_DEVICES", 1));
    return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

inline cudaError_t cudaDriverGetVersion(int* version) {
    *version = static_cast<int>(cuda_host::setting("CUDA_HOST_DRIVER", 13000));
    return cudaSuccess;
}

inline int& cuda_host_current() {
    thread_local int current = static_cast<int>(cuda_host::setting("CUDA_HOST_CURRENT", 0));
    return current;
}

inline cudaError_t cudaGetDevice(int* device) {
    *device = cuda_host_current();
    return cudaSuccess;
}

inline cudaError_t cudaSetDevice(int device) {
    cuda_host_current() = device;
    return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
    const int capability = static_cast<int>(cuda_host::setting("CUDA_HOST_CAPABILITY", 90));
    *value = which == cudaDevAttrComputeCapabilityMajor ? capability / 10 : capability % 10;
    return cudaSuccess;
}

inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
    if (cuda_host::in_use + bytes > cuda_host::setting("CUDA_HOST_MEMORY", size_t{1} << 32)) return cudaErrorMemoryAllocation;
    *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(*memory, 0xa5, bytes);
    cuda_host::allocated[*memory] = {bytes, cuda_host_current()};
    cuda_host::in_use += bytes;
    return cudaSuccess;
}

inline cudaError_t cudaFree(void* memory) {
    if (memory == nullptr) return cudaSuccess;
    const auto found = cuda_host::allocated.find(memory);
    if (found == cuda_host::allocated.end()) cuda_host::fault("frees what was not allocated");
    cuda_host::in_use -= found->second.bytes;
    cuda_host::allocated.erase(found);
    std::free(memory);
    return cudaSuccess;
}

// Tell whether bytes lie in memory of the current device.
inline bool cuda_host_holds(const void* from, size_t bytes) {
    const auto next = cuda_host::allocated.upper_bound(const_cast<void*>(from));
    if (next == cuda_host::allocated.begin()) return false;
    const auto found = std::prev(next);
    const char* end = static_cast<const char*>(found->first) + found->second.bytes;
    return static_cast<const char*>(from) + bytes <= end && found->second.device == cuda_host_current();
}

inline cudaError_t cudaMemset(void* to, int value, size_t bytes) {
    if (!cuda_host_holds(to, bytes)) return cudaErrorInvalidValue;
    std::memset(to, value, bytes);
    return cudaSuccess;
}

inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (!cuda_host_holds(kind == cudaMemcpyHostToDevice ? to : from, bytes)) return cudaErrorInvalidValue;
    std::memcpy(to, from, bytes);
    return cudaSuccess;
}

// A stream of copies, each of which happens when the stream is waited for.
struct cuda_host_stream {
    std::vector<std::function<cudaError_t()>> copies;
};
using cudaStream_t = cuda_host_stream*;

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    if (flags != cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = new cuda_host_stream;
    return cudaSuccess;
}

inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    delete stream;
    return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    stream->copies.push_back([=] { return cudaMemcpy(to, from, bytes, kind); });
    return cudaSuccess;
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    for (const auto& copy : stream->copies) {
        if (const cudaError_t error = copy()) return error;
    }
    stream->copies.clear();
    return cudaSuccess;
}

#endif  // CUDA_HOST_H
