// The etcd side of `make bench BENCH=store PEER=etcd`.
//
//	etcd-peer server ARGUMENTS...             etcd itself, with its own flags
//	etcd-peer put  -endpoint U -dir D -space S -writers N -count M -warm W -size B
//	etcd-peer get  -endpoint U -dir D -space S -writers N -count M -warm W
//	etcd-peer list -endpoint U -dir D -space S -objects O -count M    list O keys, M times
//	etcd-peer watch -endpoint U -dir D -space S -watchers N -count M -warm W
//
// D holds ca.pem, client.pem and client.key (mutual TLS, as on our side). S begins all keys. W
// operations are made before those that are measured. `put` reads all back at its end, unmeasured,
// and fails if something is missing. Each prints one JSON object:
// {"seconds":..,"count":..,"p50_us":..,"p99_us":..}, and fails if an answer was wrong.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

type options struct {
	endpoint, dir, space                          string
	writers, watchers, objects, count, warm, size int
}

func connect(o options) (*clientv3.Client, error) {
	info := transport.TLSInfo{
		CertFile:      filepath.Join(o.dir, "client.pem"),
		KeyFile:       filepath.Join(o.dir, "client.key"),
		TrustedCAFile: filepath.Join(o.dir, "ca.pem"),
	}
	config, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{o.endpoint}, TLS: config, DialTimeout: 10 * time.Second})
}

func report(seconds float64, all []time.Duration) error {
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"seconds": seconds, "count": len(all),
		"p50_us": float64(all[len(all)/2].Nanoseconds()) / 1e3,
		"p99_us": float64(all[len(all)*99/100].Nanoseconds()) / 1e3,
	})
}

// Run count operations from as many goroutines as writers say, each on keys of its own.
func together(o options, mark string, count int, operation func(key string) error) ([]time.Duration, error) {
	each := count / o.writers
	latencies := make([][]time.Duration, o.writers)
	failures := make([]error, o.writers)
	var group sync.WaitGroup
	for i := 0; i < o.writers; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := 0; n < each && failures[i] == nil; n++ {
				sent := time.Now()
				failures[i] = operation(fmt.Sprintf("%s/%s-%d", o.space, mark, i*each+n))
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		}(i)
	}
	group.Wait()
	var all []time.Duration
	for i := range latencies {
		if failures[i] != nil {
			return nil, failures[i]
		}
		all = append(all, latencies[i]...)
	}
	return all, nil
}

// Warm up, then measure; the keys of the warm-up of `put` are others than those that count.
func measure(o options, warmMark string, operation func(key string) error) error {
	if _, err := together(o, warmMark, o.warm, operation); err != nil {
		return err
	}
	start := time.Now()
	all, err := together(o, "put", o.count, operation)
	if err != nil {
		return err
	}
	return report(time.Since(start).Seconds(), all)
}

func put(client *clientv3.Client, o options) error {
	value := string(bytes.Repeat([]byte("x"), o.size))
	err := measure(o, "warm", func(key string) error {
		_, err := client.Put(context.Background(), key, value)
		return err
	})
	if err != nil {
		return err
	}
	answer, err := client.Get(context.Background(), o.space+"/put-", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if len(answer.Kvs) != o.count/o.writers*o.writers {
		return fmt.Errorf("%d keys are there of %d", len(answer.Kvs), o.count)
	}
	for _, pair := range answer.Kvs {
		if string(pair.Value) != value {
			return fmt.Errorf("key %s has another value", pair.Key)
		}
	}
	return nil
}

func get(client *clientv3.Client, o options) error {
	return measure(o, "put", func(key string) error {
		answer, err := client.Get(context.Background(), key)
		if err == nil && (len(answer.Kvs) != 1 || len(answer.Kvs[0].Value) != o.size) {
			err = fmt.Errorf("key %s is missing: put it first", key)
		}
		return err
	})
}

func list(client *clientv3.Client, o options) error {
	var all []time.Duration
	start := time.Now()
	for i := 0; i < o.count; i++ {
		sent := time.Now()
		answer, err := client.Get(context.Background(), o.space+"/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		if len(answer.Kvs) != o.objects {
			return fmt.Errorf("listed %d keys of %d", len(answer.Kvs), o.objects)
		}
		all = append(all, time.Since(sent))
	}
	return report(time.Since(start).Seconds(), all)
}

// One writer puts a number and its clock as the value; every watcher measures how old it is on
// arrival, and fails when a number is missing.
func watch(client *clientv3.Client, o options) error {
	key := o.space + "/watched"
	last := o.warm + o.count
	latencies := make([][]time.Duration, o.watchers)
	failures := make([]error, o.watchers)
	var ready, done sync.WaitGroup
	for i := 0; i < o.watchers; i++ {
		ready.Add(1)
		done.Add(1)
		go func(i int) {
			defer done.Done()
			seen := 0
			for answer := range client.Watch(context.Background(), key, clientv3.WithCreatedNotify()) {
				if answer.Created {
					ready.Done()
				}
				for _, event := range answer.Events {
					var number, sent int64
					fmt.Sscanf(string(event.Kv.Value), "%d/%d", &number, &sent)
					if number != int64(seen) && failures[i] == nil {
						failures[i] = fmt.Errorf("a watcher missed a change")
					}
					seen++
					if seen > o.warm {
						latencies[i] = append(latencies[i], time.Duration(time.Now().UnixNano()-sent))
					}
				}
				if seen == last {
					return
				}
			}
		}(i)
	}
	ready.Wait()
	start := time.Now()
	for n := 0; n < last; n++ {
		if n == o.warm {
			start = time.Now()
		}
		value := fmt.Sprintf("%d/%d", n, time.Now().UnixNano())
		if _, err := client.Put(context.Background(), key, value); err != nil {
			return err
		}
	}
	done.Wait()
	seconds := time.Since(start).Seconds()
	var all []time.Duration
	for i := range latencies {
		if failures[i] != nil {
			return failures[i]
		}
		all = append(all, latencies[i]...)
	}
	return report(seconds, all)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		etcdmain.Main(append([]string{"etcd"}, os.Args[2:]...))
		return
	}
	commands := map[string]func(*clientv3.Client, options) error{"put": put, "get": get, "list": list, "watch": watch}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: etcd-peer server|put|get|list|watch ...")
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.endpoint, "endpoint", "", "URL of the server")
	flags.StringVar(&o.dir, "dir", "", "folder with certificates")
	flags.StringVar(&o.space, "space", "bench", "beginning of all keys")
	flags.IntVar(&o.objects, "objects", 0, "keys that a list must have")
	flags.IntVar(&o.warm, "warm", 0, "operations before those that are measured")
	flags.IntVar(&o.writers, "writers", 1, "operations in flight")
	flags.IntVar(&o.watchers, "watchers", 1, "watches")
	flags.IntVar(&o.count, "count", 1000, "operations in all")
	flags.IntVar(&o.size, "size", 512, "bytes of a value")
	_ = flags.Parse(os.Args[2:])
	client, err := connect(o)
	if err == nil {
		err = commands[os.Args[1]](client, o)
	}
	if err != nil {
		log.Fatal(err)
	}
}
