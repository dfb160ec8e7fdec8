// Run samples by every way and with several numbers of threads: every_way weights.bin drive.f32 samples first OUT
//
// OUT gets, for each way and number of threads, scores after every step, counts, train_values, spikes and totals, as the
// library gives them, then scores and totals of a second run which records nothing else.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kgenn_network.h"

namespace {

template <typename T>
void write(const std::vector<T>& values, std::FILE* file) {
    if (std::fwrite(values.data(), sizeof(T), values.size(), file) != values.size()) std::exit(3);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    kgenn_network* network = kgenn_open(argv[1]);
    std::FILE *drives = std::fopen(argv[2], "rb"), *out = std::fopen(argv[5], "wb");
    const long samples = std::atol(argv[3]), first = std::atol(argv[4]);
    if (network == nullptr || drives == nullptr || out == nullptr) return 1;
    const size_t count = static_cast<size_t>(samples), steps = static_cast<size_t>(kgenn_num_timesteps(network));
    std::vector<float> drive(count * KGENN_NUM_INPUTS);
    if (std::fread(drive.data(), sizeof(float), drive.size(), drives) != drive.size()) return 1;
    for (int32_t path = 0; path < 3; ++path) {
        for (int32_t threads = 1; threads < 4; ++threads) {
            std::vector<float> scores(count * steps * KGENN_NUM_CLASSES);
            std::vector<int32_t> counts(count * KGENN_NUM_NEURONS), train_values(count * KGENN_NUM_NEURONS);
            std::vector<int8_t> spikes(count * steps * KGENN_NUM_NEURONS);
            std::vector<int64_t> totals(KGENN_NUM_NEURONS);
            std::vector<kgenn_usage> usage(KGENN_NUM_CONNECTIONS);
            const kgenn_options options = {threads, 1, path};
            const kgenn_recording all = {scores.data(), counts.data(), train_values.data(),
                                         spikes.data(), usage.data(),  totals.data()};
            if (kgenn_run(network, drive.data(), samples, first, &options, &all) != KGENN_OK) return 1;
            write(scores, out), write(counts, out), write(train_values, out), write(spikes, out), write(totals, out);
            std::vector<int64_t> totals_alone(KGENN_NUM_NEURONS);
            const kgenn_recording few = {scores.data(), nullptr, nullptr, nullptr, nullptr, totals_alone.data()};
            if (kgenn_run(network, drive.data(), samples, first, &options, &few) != KGENN_OK) return 1;
            write(scores, out), write(totals_alone, out);
        }
    }
    std::fclose(drives);
    std::fclose(out);
    kgenn_close(network);
    return 0;
}
