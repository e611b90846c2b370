// The CAF side of `make bench BENCH=fan PEER=caf`: senders send balls of 128 bytes, 128 at a time,
// a new message each, to many event-based actors, round about or (RANDOM is 1) at random, and a
// last word to each, which then tells how many it got; once to warm up.
//   caf-fan KEYS MESSAGES SENDERS RANDOM
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

#include <caf/all.hpp>

struct ball {
    std::array<char, 128> bytes;
};
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(ball)

namespace
{

using go_atom = caf::atom_constant<caf::atom("go")>;
using last_atom = caf::atom_constant<caf::atom("last")>;
using actors = std::vector<caf::actor>;

constexpr std::size_t batch = 128;

struct sum : caf::event_based_actor {
    std::size_t keys, reports = 0;
    std::uint64_t expected, total = 0;
    caf::actor who;

    sum(caf::actor_config &config, std::size_t keys, std::uint64_t expected)
        : caf::event_based_actor(config), keys(keys), expected(expected)
    {
    }

    void take(std::uint64_t had)
    {
        total += had;
        if (++reports < keys)
            return;
        send(std::move(who), total == expected);
        reports = 0;
        total = 0;
    }

    caf::behavior make_behavior() override
    {
        return {[this](const caf::actor &asking) { who = asking; },
                [this](std::uint64_t had) { take(had); }};
    }
};

struct member : caf::event_based_actor {
    caf::actor to;
    std::size_t senders, lasts = 0;
    std::uint64_t had = 0;

    member(caf::actor_config &config, caf::actor to, std::size_t senders)
        : caf::event_based_actor(config), to(std::move(to)), senders(senders)
    {
    }

    void end()
    {
        if (++lasts < senders)
            return;
        send(to, had);
        had = 0;
        lasts = 0;
    }

    caf::behavior make_behavior() override
    {
        return {[this](const ball &b) {
                    if (b.bytes[127] != 1)
                        std::abort();
                    had++;
                },
                [this](last_atom) { end(); }};
    }
};

struct sender : caf::event_based_actor {
    std::shared_ptr<const actors> members;
    std::size_t messages, sent = 0, ended = 0;
    bool is_random;
    std::uint64_t state;
    ball one{};

    sender(caf::actor_config &config, std::shared_ptr<const actors> members, std::size_t messages,
           bool is_random, std::uint64_t seed)
        : caf::event_based_actor(config), members(std::move(members)), messages(messages),
          is_random(is_random), state(seed)
    {
        one.bytes[127] = 1;
    }

    void go()
    {
        const actors &all = *members;

        for (std::size_t i = 0; i < batch && sent < messages; i++, sent++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            send(all[(is_random ? state >> 33 : sent) % all.size()], ball(one));
        }
        for (std::size_t i = 0; i < batch && sent == messages && ended < all.size(); i++)
            send(all[ended++], last_atom::value);
        if (ended < all.size())
            send(this, go_atom::value);
        else
            sent = ended = 0;
    }

    caf::behavior make_behavior() override
    {
        return {[this](go_atom) { go(); }};
    }
};

double play(caf::actor_system &system, const caf::actor &sum, const actors &senders)
{
    caf::scoped_actor self{system};

    self->send(sum, caf::actor_cast<caf::actor>(self));
    auto begin = std::chrono::steady_clock::now();
    for (auto &one : senders)
        self->send(one, go_atom::value);
    self->receive([](bool is_right) {
        if (!is_right)
            std::exit(1);
    });
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Of what was tried, the quickest for each mode. Whoever steals work walks a queue to its end under
// both of its locks, and by CAF's own settings a sender never yields, so that the queue grows with
// the members and a play takes minutes. Here senders yield.
void tune(caf::actor_system_config &config, bool is_random)
{
    config.set("scheduler.policy", is_random ? caf::atom("stealing") : caf::atom("sharing"));
    config.set("scheduler.max-throughput", is_random ? 1 : 300);
}

} // namespace

int main(int count, char **words)
{
    if (count != 5)
        return 2;
    auto keys = std::strtoul(words[1], nullptr, 10);
    auto messages = std::strtoul(words[2], nullptr, 10);
    auto many = std::strtoul(words[3], nullptr, 10);
    bool is_random = *words[4] == '1';
    caf::actor_system_config config;
    tune(config, is_random);
    caf::actor_system system{config};

    auto to = system.spawn<sum>(keys, many * messages);
    auto members = std::make_shared<actors>();
    for (std::size_t i = 0; i < keys; i++)
        members->push_back(system.spawn<member>(to, many));
    actors senders;
    for (std::size_t i = 0; i < many; i++)
        senders.push_back(system.spawn<sender>(members, messages, is_random, i + 1));

    play(system, to, senders);
    auto before = std::clock();
    double seconds = play(system, to, senders);
    std::printf("{\"seconds\":%.6f,\"count\":%lu,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0}\n",
                seconds, many * messages + (many + 1) * keys,
                double(std::clock() - before) / CLOCKS_PER_SEC);
    return 0;
}
