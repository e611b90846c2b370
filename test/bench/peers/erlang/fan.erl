%% The Erlang side of `make bench BENCH=fan PEER=erlang`: SENDERS processes send MESSAGES balls of 128
%% bytes each, a tuple, which the runtime copies, to KEYS others, round about or (RANDOM is 1) at
%% random, and a last word to each, which then tells how many it got; once to warm up.
%%   erl -noshell -run fan main KEYS MESSAGES SENDERS RANDOM
-module(fan).
-export([main/1]).

main(Words) ->
    [Keys, Messages, Senders, Random] = [list_to_integer(Word) || Word <- Words],
    Sum = self(),
    Members = list_to_tuple([spawn(fun() -> member(Sum, Senders, 0, 0) end)
                             || _ <- lists:seq(1, Keys)]),
    _ = play(Members, Messages, Senders, Random),
    {Before, _} = statistics(runtime),
    Seconds = play(Members, Messages, Senders, Random),
    {After, _} = statistics(runtime),
    io:format("{\"seconds\":~.6f,\"count\":~b,\"cpu_s\":~.3f,\"p50_us\":0,\"p99_us\":0}~n",
              [Seconds, Senders * Messages + (Senders + 1) * Keys, (After - Before) / 1000]),
    halt(0).

play(Members, Messages, Senders, Random) ->
    All = Senders * Messages,
    Begin = erlang:monotonic_time(nanosecond),
    [spawn(fun() -> send(Members, list_to_tuple(lists:seq(1, 16)), Random, Seed, Messages) end)
     || Seed <- lists:seq(1, Senders)],
    All = collect(tuple_size(Members), 0),
    (erlang:monotonic_time(nanosecond) - Begin) / 1.0e9.

collect(0, Sum) ->
    Sum;
collect(Left, Sum) ->
    receive {had, Count} -> collect(Left - 1, Sum + Count) end.

send(Members, _, _, _, 0) ->
    [element(I, Members) ! last || I <- lists:seq(1, tuple_size(Members))];
send(Members, Ball, 0, At, Left) ->
    element(At rem tuple_size(Members) + 1, Members) ! Ball,
    send(Members, Ball, 0, At + 1, Left - 1);
send(Members, Ball, 1, State, Left) ->
    Next = (State * 1103515245 + 12345) band 16#7fffffff,
    element((Next bsr 8) rem tuple_size(Members) + 1, Members) ! Ball,
    send(Members, Ball, 1, Next, Left - 1).

member(Sum, Senders, Had, Senders) ->
    Sum ! {had, Had},
    member(Sum, Senders, 0, 0);
member(Sum, Senders, Had, Lasts) ->
    receive
        last -> member(Sum, Senders, Had, Lasts + 1);
        Ball when element(16, Ball) =:= 16 -> member(Sum, Senders, Had + 1, Lasts)
    end.
