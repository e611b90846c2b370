// The CAF side of `make bench BENCH=pairs PEER=caf`: pairs of event-based actors play a ball of 128
// bytes, which is copied into a new message each time; first a tenth of it to warm up.
//   caf-pairs PAIRS ROUNDS
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <caf/all.hpp>

using ball = std::vector<char>;

namespace {

const caf::atom_value start_atom = caf::atom("start");
const caf::atom_value done_atom = caf::atom("done");

caf::behavior partner(caf::event_based_actor *self)
{
    return {[=](const ball &b) {
        self->send(caf::actor_cast<caf::actor>(self->current_sender()), ball(b));
    }};
}

caf::behavior player(caf::event_based_actor *self, caf::actor who, std::uint32_t rounds)
{
    auto other = self->spawn(partner);
    auto left = std::make_shared<std::uint32_t>(rounds);

    return {[=](caf::atom_value) { self->send(other, ball(128, 'x')); },
            [=](const ball &b) {
                if (b.size() != 128 || b[127] != 'x')
                    std::abort();
                if (--*left > 0) {
                    self->send(other, ball(b));
                    return;
                }
                self->send_exit(other, caf::exit_reason::user_shutdown);
                self->send(who, done_atom);
                self->quit();
            }};
}

double play(caf::actor_system &system, std::size_t pairs, std::uint32_t rounds)
{
    caf::scoped_actor self{system};
    std::vector<caf::actor> players;

    for (std::size_t i = 0; i < pairs; i++)
        players.push_back(system.spawn(player, caf::actor_cast<caf::actor>(self), rounds));
    auto begin = std::chrono::steady_clock::now();
    for (auto &one : players)
        self->send(one, start_atom);
    for (std::size_t i = 0; i < pairs; i++)
        self->receive([](caf::atom_value) {});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    auto pairs = std::strtoul(words[1], nullptr, 10);
    auto rounds = static_cast<std::uint32_t>(std::strtoul(words[2], nullptr, 10));
    caf::actor_system_config config;
    caf::actor_system system{config};

    play(system, pairs, rounds / 10 + 1);
    auto before = std::clock();
    double seconds = play(system, pairs, rounds);
    std::printf("{\"seconds\":%.6f,\"count\":%lu,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0}\n", seconds,
                2ul * pairs * rounds, double(std::clock() - before) / CLOCKS_PER_SEC);
    return 0;
}
