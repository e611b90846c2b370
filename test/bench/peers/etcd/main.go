// The etcd side of `make bench BENCH=store PEER=etcd`.
//
//	etcd-peer server ARGUMENTS...             etcd itself, with its own flags
//	etcd-peer put  -endpoint U -dir D -writers N -count M -size B
//	etcd-peer get  -endpoint U -dir D -writers N -count M
//	etcd-peer list -endpoint U -dir D -count M        list M keys, ten times
//	etcd-peer watch -endpoint U -dir D -watchers N -count M
//
// D holds ca.pem, client.pem and client.key (mutual TLS, as on our side). Each prints one JSON object:
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
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

type options struct {
	endpoint, dir                  string
	writers, watchers, count, size int
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
func together(o options, operation func(worker, n int) error) error {
	each := o.count / o.writers
	latencies := make([][]time.Duration, o.writers)
	failures := make([]error, o.writers)
	var group sync.WaitGroup
	start := time.Now()
	for i := 0; i < o.writers; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := 0; n < each && failures[i] == nil; n++ {
				sent := time.Now()
				failures[i] = operation(i, n)
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		}(i)
	}
	group.Wait()
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

func key(worker, n int) string {
	return fmt.Sprintf("bench/%d/%d", worker, n)
}

func put(client *clientv3.Client, o options) error {
	value := string(bytes.Repeat([]byte("x"), o.size))
	return together(o, func(worker, n int) error {
		_, err := client.Put(context.Background(), key(worker, n), value)
		return err
	})
}

func get(client *clientv3.Client, o options) error {
	return together(o, func(worker, n int) error {
		answer, err := client.Get(context.Background(), key(worker, n))
		if err == nil && len(answer.Kvs) != 1 {
			err = fmt.Errorf("key %s is missing: put it first", key(worker, n))
		}
		return err
	})
}

func list(client *clientv3.Client, o options) error {
	var all []time.Duration
	start := time.Now()
	for i := 0; i < 10; i++ {
		sent := time.Now()
		answer, err := client.Get(context.Background(), "bench/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		if len(answer.Kvs) != o.count {
			return fmt.Errorf("listed %d keys of %d", len(answer.Kvs), o.count)
		}
		all = append(all, time.Since(sent))
	}
	return report(time.Since(start).Seconds(), all)
}

// One writer puts its clock as the value; every watcher measures how old it is on arrival.
func watch(client *clientv3.Client, o options) error {
	latencies := make([][]time.Duration, o.watchers)
	var ready, done sync.WaitGroup
	for i := 0; i < o.watchers; i++ {
		ready.Add(1)
		done.Add(1)
		go func(i int) {
			defer done.Done()
			events := client.Watch(context.Background(), "watched", clientv3.WithCreatedNotify())
			for answer := range events {
				if answer.Created {
					ready.Done()
				}
				for _, event := range answer.Events {
					sent, _ := strconv.ParseInt(string(event.Kv.Value), 10, 64)
					latencies[i] = append(latencies[i], time.Duration(time.Now().UnixNano()-sent))
				}
				if len(latencies[i]) == o.count {
					return
				}
			}
		}(i)
	}
	ready.Wait()
	start := time.Now()
	for n := 0; n < o.count; n++ {
		_, err := client.Put(context.Background(), "watched", strconv.FormatInt(time.Now().UnixNano(), 10))
		if err != nil {
			return err
		}
	}
	done.Wait()
	seconds := time.Since(start).Seconds()
	var all []time.Duration
	for i := range latencies {
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
