%% The Erlang side of `make bench BENCH=spawn PEER=erlang`: PARENTS processes begin KEYS others with 128
%% bytes of state each, a tuple, ping each once, FLIGHT at a time, and look at its answer, the sum of
%% that state. All are there at the end; so much has the process grown.
%%   erl +P 2000000 -noshell -run spawn main KEYS PARENTS FLIGHT
-module(spawn).
-export([main/1]).

main(Words) ->
    [Keys, Parents, Flight] = [list_to_integer(Word) || Word <- Words],
    ok = play(max(Keys div 100, Parents), Parents, Flight, stop),
    Empty = memory(),
    Before = ticks(),
    Begin = erlang:monotonic_time(nanosecond),
    ok = play(Keys, Parents, Flight, stay),
    Seconds = (erlang:monotonic_time(nanosecond) - Begin) / 1.0e9,
    After = ticks(),
    io:format("{\"seconds\":~.6f,\"count\":~b,\"cpu_s\":~.3f,\"p50_us\":0,\"p99_us\":0,"
              "\"bytes\":~b}~n",
              [Seconds, Keys, (After - Before) / 100, memory() - Empty]),
    halt(0).

play(Keys, Parents, Flight, End) ->
    Self = self(),
    [spawn(fun() -> parent(Self, lists:seq(Parent, Keys - 1, Parents), Flight, End) end)
     || Parent <- lists:seq(0, Parents - 1)],
    Keys = lists:sum([receive {had, Count} -> Count end || _ <- lists:seq(1, Parents)]),
    ok.

parent(Who, Keys, Flight, End) ->
    {First, Rest} = lists:split(min(Flight, length(Keys)), Keys),
    [begin_one(Key, End) || Key <- First],
    Who ! {had, collect(length(Keys), Rest, 0, 0, lists:sum(Keys), End)},
    receive stop -> ok end.

begin_one(Key, End) ->
    spawn(fun() -> member(list_to_tuple([Key + I || I <- lists:seq(1, 16)]), End) end)
        ! {self(), ping, Key}.

%% Each key has answered once: their sum is that of all.
collect(0, [], Had, Sum, Sum, _) ->
    Had;
collect(Left, Keys, Had, Sum, All, End) ->
    receive {Key, State} when State =:= 16 * Key + 136 -> ok end,
    Rest = case Keys of
               [] -> [];
               [Next | Others] -> begin_one(Next, End), Others
           end,
    collect(Left - 1, Rest, Had + 1, Sum + Key, All, End).

member(State, End) ->
    receive
        {From, ping, Key} -> From ! {Key, lists:sum(tuple_to_list(State))}
    end,
    case End of
        stop -> ok;
        stay -> member(State, End)
    end.

%% Processor time of the process in hundredths of a second, that of the kernel too: it gives memory.
ticks() ->
    {ok, Text} = file:read_file("/proc/self/stat"),
    [_, Behind] = string:split(Text, ") ", trailing),
    Words = string:lexemes(Behind, " "),
    binary_to_integer(lists:nth(12, Words)) + binary_to_integer(lists:nth(13, Words)).

memory() ->
    {ok, File} = file:open("/proc/self/smaps_rollup", [read]),
    Bytes = pss(File),
    file:close(File),
    Bytes.

pss(File) ->
    {ok, Line} = file:read_line(File),
    case string:lexemes(Line, " \n") of
        ["Pss:", Kilobytes, "kB"] -> 1024 * list_to_integer(Kilobytes);
        _ -> pss(File)
    end.
