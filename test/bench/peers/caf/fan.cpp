// The CAF side of `make bench BENCH=fan PEER=caf`: SENDERS event-based actors send MESSAGES balls of
// 128 bytes each, 128 at a time, to KEYS others, round about or (RANDOM is 1) at random, and a last
// word to each, which then tells how many it got; once to warm up.
//   caf-fan KEYS MESSAGES SENDERS RANDOM
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

#include <caf/all.hpp>

using ball = std::vector<char>;

namespace {

constexpr int batch = 128;
const caf::atom_value go_atom = caf::atom("go");
const caf::atom_value last_atom = caf::atom("last");
const caf::atom_value had_atom = caf::atom("had");

struct options {
    std::uint32_t keys, messages, senders;
    bool is_random;
};

std::vector<caf::actor> members;

caf::behavior member(caf::event_based_actor *self, caf::actor sum, std::uint32_t senders)
{
    auto had = std::make_shared<std::uint32_t>(0), lasts = std::make_shared<std::uint32_t>(0);

    return {[=](const ball &b) {
                if (b.size() != 128 || b[127] != 'x')
                    std::abort();
                ++*had;
            },
            [=](caf::atom_value) {
                if (++*lasts < senders)
                    return;
                self->send(sum, had_atom, *had);
                *had = *lasts = 0;
            }};
}

struct sending {
    std::uint64_t state = 0;
    std::uint32_t sent = 0, ended = 0;
};

caf::behavior sender(caf::stateful_actor<sending> *self, options opts, std::uint64_t seed)
{
    self->state.state = seed;
    return {[=](caf::atom_value go) {
        auto &s = self->state;

        for (int i = 0; i < batch && s.sent < opts.messages; i++, s.sent++) {
            s.state = s.state * 6364136223846793005u + 1442695040888963407u;
            self->send(members[(opts.is_random ? s.state >> 33 : s.sent) % opts.keys],
                       ball(128, 'x'));
        }
        for (int i = 0; i < batch && s.sent == opts.messages && s.ended < opts.keys; i++, s.ended++)
            self->send(members[s.ended], last_atom);
        if (s.ended < opts.keys)
            self->send(self, go);
        else
            s.sent = s.ended = 0;
    }};
}

double play(caf::scoped_actor &self, const std::vector<caf::actor> &senders, const options &opts)
{
    std::uint64_t total = 0;
    auto begin = std::chrono::steady_clock::now();

    for (auto &one : senders)
        self->send(one, go_atom);
    for (std::uint32_t i = 0; i < opts.keys; i++)
        self->receive([&](caf::atom_value, std::uint32_t had) { total += had; });
    if (total != std::uint64_t(opts.senders) * opts.messages)
        std::abort();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::uint32_t number(const char *word)
{
    return static_cast<std::uint32_t>(std::strtoul(word, nullptr, 10));
}

} // namespace

int main(int count, char **words)
{
    if (count != 5)
        return 2;
    options opts{number(words[1]), number(words[2]), number(words[3]), number(words[4]) == 1};
    caf::actor_system_config config;
    caf::actor_system system{config};
    caf::scoped_actor self{system};
    std::vector<caf::actor> senders;

    for (std::uint32_t i = 0; i < opts.keys; i++)
        members.push_back(system.spawn(member, caf::actor_cast<caf::actor>(self), opts.senders));
    for (std::uint32_t i = 0; i < opts.senders; i++)
        senders.push_back(system.spawn(sender, opts, i + 1));
    play(self, senders, opts);
    auto before = std::clock();
    double seconds = play(self, senders, opts);
    std::printf("{\"seconds\":%.6f,\"count\":%llu,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0}\n", seconds,
                (unsigned long long)opts.senders * opts.messages + (opts.senders + 1ull) * opts.keys,
                double(std::clock() - before) / CLOCKS_PER_SEC);
    std::fflush(stdout);
    std::_Exit(0); // Members wait for ever.
}
