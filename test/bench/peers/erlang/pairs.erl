%% The Erlang side of `make bench BENCH=pairs PEER=erlang`: PAIRS pairs of processes play a ball of
%% 128 bytes, a tuple, which the runtime copies, ROUNDS times each; first a tenth of it to warm up.
%%   erl -noshell -run pairs main PAIRS ROUNDS
-module(pairs).
-export([main/1]).

main([Pairs, Rounds]) ->
    P = list_to_integer(Pairs),
    R = list_to_integer(Rounds),
    _ = play(P, R div 10 + 1),
    {Before, _} = statistics(runtime),
    Seconds = play(P, R),
    {After, _} = statistics(runtime),
    io:format("{\"seconds\":~.6f,\"count\":~b,\"cpu_s\":~.3f,\"p50_us\":0,\"p99_us\":0}~n",
              [Seconds, 2 * P * R, (After - Before) / 1000]),
    halt(0).

play(P, R) ->
    Self = self(),
    Players = [spawn(fun() -> player(Self, R) end) || _ <- lists:seq(1, P)],
    Begin = erlang:monotonic_time(nanosecond),
    [Player ! start || Player <- Players],
    [receive {done, R} -> ok end || _ <- Players],
    (erlang:monotonic_time(nanosecond) - Begin) / 1.0e9.

player(Who, R) ->
    Partner = spawn(fun partner/0),
    Ball = list_to_tuple(lists:seq(1, 16)),
    receive start -> ok end,
    Who ! {done, rounds(Partner, Ball, R, 0)},
    Partner ! stop.

rounds(_, _, 0, Count) ->
    Count;
rounds(Partner, Ball, Left, Count) ->
    Partner ! {self(), Ball},
    receive {Partner, Same} when element(16, Same) =:= 16 ->
        rounds(Partner, Same, Left - 1, Count + 1)
    end.

partner() ->
    receive
        {From, Ball} -> From ! {self(), Ball}, partner();
        stop -> ok
    end.
