// What one core can do at most: products of integers in its vectors and its matrix unit, rows of weights that it adds, and
// bytes that it reads.
// Includes packed_rows.hpp of an output directory, and what that includes. Prints a name and a rate on each line.
#include <chrono>
#include <cstdio>
#include <vector>

#include "packed_rows.hpp"

namespace {

using namespace kgenn;

// Seconds of the fastest of some calls.
template <typename F>
double fastest(F f) {
    double best = 1e30;
    for (int repetition = 0; repetition < 15; ++repetition) {
        const auto start = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        if (took.count() < best) best = took.count();
    }
    return best;
}

volatile int32_t sink;

// Multiply-accumulates of 16-bit integers for a second: sums that wait for nothing but themselves.
double vector_rate() {
    constexpr int kSums = kRegisters / 2, kTimes = 400000;  // all in registers
    const double seconds = fastest([] {
        Sums sums[kSums];
        for (Sums& s : sums) s = no_sums();
        Sums weights = both(0x00030005), values = both(0x00020001);
        for (int i = 0; i < kTimes; ++i) {
#pragma GCC unroll 16
            for (Sums& s : sums) {
                s = multiply_add(s, weights, values);
                asm volatile("" : "+x"(weights), "+x"(values));  // the next product may be another
            }
        }
        int32_t out[kWidth], total = 0;
        for (const Sums& s : sums) store(out, s), total += out[0];
        sink = total;
    });
    return 2.0 * kWidth * kSums * kTimes / seconds;
}

// Weights of 16 bits that are added for a second: rows in any order of a part of the weights that is used at once.
double row_rate() {
    constexpr size_t kRow = kBlockColumns, kRows = kMostTerms, kEvents = 4096;
    constexpr int kTimes = 200;
    const std::vector<int16_t> rows(kRows * kRow, 1);
    std::vector<uint32_t> position(kEvents);
    uint32_t random = 1;
    for (uint32_t& p : position) p = (random = random * 1664525u + 1013904223u) >> 16, p %= kRows;
    const double seconds = fastest([&] {
        Sums sums[kMostVectors];
        for (Sums& s : sums) s = no_sums();
        for (int i = 0; i < kTimes; ++i) {
            for (const uint32_t p : position) {
                for (int k = 0; k < kMostVectors; ++k) sums[k] = add_pairs(sums[k], load(rows.data() + p * kRow + k * kColumns));
            }
        }
        int32_t out[kWidth], total = 0;
        for (const Sums& s : sums) store(out, s), total += out[0];
        sink = total;
    });
    return static_cast<double>(kRow * kEvents * kTimes) / seconds;
}

// Multiply-accumulates of bytes for a second in the matrix unit; 0 where there is none.
double matrix_rate() {
#if defined(KGENN_TILES)
    if (!tiles_allowed()) return 0.0;
    constexpr int kTimes = 200000;
    set_tiles(32);
    const double seconds = fastest([] {
        for (int i = 0; i < kTimes; ++i) {
            _tile_dpbssd(0, 4, 6);
            _tile_dpbssd(1, 4, 7);
            _tile_dpbssd(2, 5, 6);
            _tile_dpbssd(3, 5, 7);
        }
    });
    release_tiles();
    return 4.0 * 16 * 16 * 64 * kTimes / seconds;
#else
    return 0.0;
#endif
}

// Bytes read for a second from an array of this size, again and again.
double read_rate(size_t bytes) {
    const std::vector<int32_t> data(bytes / sizeof(int32_t), 1);
    const size_t times = 1 + (size_t{1} << 28) / bytes;
    const double seconds = fastest([&] {
        for (size_t k = 0; k < times; ++k) {
            int32_t total = 0;
            for (const int32_t v : data) total += v;
            sink = total;
        }
    });
    return static_cast<double>(times) * static_cast<double>(bytes) / seconds;
}

}  // namespace

int main() {
    std::printf("vector %.6g\n", vector_rate());
    std::printf("matrix %.6g\n", matrix_rate());
    std::printf("rows %.6g\n", row_rate());
    std::printf("cache %.6g\n", read_rate(size_t{1} << 20));
    std::printf("memory %.6g\n", read_rate(size_t{1} << 29));
}
