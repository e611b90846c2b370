// The CAF side of `make bench BENCH=spawn PEER=caf`: PARENTS actors begin KEYS others with 128 bytes
// of state each, ping each once, FLIGHT at a time, and look at its answer, the sum of that state.
// All are there at the end; so much has the process grown.
//   caf-spawn KEYS PARENTS FLIGHT
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <caf/all.hpp>

namespace
{

using ping_atom = caf::atom_constant<caf::atom("ping")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;

struct member : caf::event_based_actor {
    std::uint64_t state[16];
    std::uint64_t key;

    member(caf::actor_config &config, std::uint64_t key) : caf::event_based_actor(config), key(key)
    {
        for (std::uint64_t i = 0; i < 16; i++)
            state[i] = key + i;
    }

    caf::behavior make_behavior() override
    {
        return {[this](ping_atom, const caf::actor &who) {
                    std::uint64_t sum = 0;

                    for (auto word : state)
                        sum += word;
                    send(who, key, sum);
                },
                [this](stop_atom) { quit(); }};
    }
};

struct parent : caf::event_based_actor {
    caf::actor who;
    std::size_t keys, parents, flight, next, had = 0, share;
    std::uint64_t open = 0;
    bool is_warm;
    std::vector<caf::actor> members;

    parent(caf::actor_config &config, caf::actor who, std::size_t keys, std::size_t parents,
           std::size_t flight, std::size_t number, bool is_warm)
        : caf::event_based_actor(config), who(std::move(who)), keys(keys), parents(parents),
          flight(flight), next(number), share(keys / parents + (number < keys % parents)),
          is_warm(is_warm)
    {
        members.reserve(share);
    }

    void begin_one()
    {
        members.push_back(spawn<member, caf::lazy_init>(next));
        send(members.back(), ping_atom::value, caf::actor_cast<caf::actor>(this));
        open += next;
        next += parents;
    }

    void take(std::uint64_t key, std::uint64_t sum)
    {
        if (sum != 16 * key + 120)
            std::abort();
        open -= key;
        had++;
        if (next < keys)
            begin_one();
        if (had < share)
            return;
        if (open != 0)
            std::abort();
        for (auto &one : members)
            if (is_warm)
                send(one, stop_atom::value);
        send(who, had);
    }

    caf::behavior make_behavior() override
    {
        return {[this](ping_atom) {
                    for (std::size_t i = 0; i < flight && next < keys; i++)
                        begin_one();
                },
                [this](std::uint64_t key, std::uint64_t sum) { take(key, sum); },
                [this](stop_atom) { quit(); }};
    }
};

std::vector<caf::actor> play(caf::actor_system &system, std::size_t keys, std::size_t parents,
                             std::size_t flight, bool is_warm)
{
    caf::scoped_actor self{system};
    std::vector<caf::actor> all;
    std::size_t total = 0;

    for (std::size_t i = 0; i < parents; i++)
        all.push_back(system.spawn<parent>(caf::actor_cast<caf::actor>(self), keys, parents, flight,
                                           i, is_warm));
    for (auto &one : all)
        self->send(one, ping_atom::value);
    for (std::size_t i = 0; i < parents; i++)
        self->receive([&](std::uint64_t had) { total += had; });
    if (total != keys)
        std::exit(1);
    return all;
}

long memory()
{
    std::FILE *file = std::fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kilobytes = 0;

    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr)
        if (std::sscanf(line, "Pss: %ld", &kilobytes) == 1)
            break;
    if (file != nullptr)
        std::fclose(file);
    return 1024 * kilobytes;
}

} // namespace

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    auto keys = std::strtoul(words[1], nullptr, 10);
    auto parents = std::strtoul(words[2], nullptr, 10);
    auto flight = std::strtoul(words[3], nullptr, 10);
    caf::actor_system_config config;
    caf::actor_system system{config};

    for (auto &one : play(system, std::max(keys / 100, parents), parents, flight, true))
        caf::anon_send(one, stop_atom::value);
    long empty = memory();
    auto before = std::clock();
    auto begin = std::chrono::steady_clock::now();
    auto all = play(system, keys, parents, flight, false);
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("{\"seconds\":%.6f,\"count\":%lu,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0,"
                "\"bytes\":%ld}\n",
                seconds, keys, double(std::clock() - before) / CLOCKS_PER_SEC, memory() - empty);
    std::fflush(stdout);
    std::_Exit(0); // To end a million actors one by one is not measured.
}
