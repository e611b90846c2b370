// The NATS side of `make bench BENCH=request PEER=nats`: a server, a responder and a requester, each
// a process of its own, over TLS, as the definition of the workload asks.
//
//	nats-peer server  -dir D                  listens on a free port, writes D/url, runs until killed
//	nats-peer respond -dir D                  echoes on "bench.echo"; both print "ready" once they are
//	nats-peer request -dir D -inflight N -count M -warm W -size B
//
// D holds ca.pem, server.pem, server.key, client.pem and client.key: mutual TLS 1.3, as on our side.
// The requester makes W requests before it measures, verifies each answer and prints one JSON
// object: {"seconds":..,"p50_us":..,"p99_us":..,"count":..}.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// The certificate of this name, and the authority that both sides trust.
func credentials(dir, name string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, RootCAs: pool,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

func serve(dir string) error {
	config, err := credentials(dir, "server")
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		TLSConfig: config, TLSVerify: true,
	})
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("the server did not become ready")
	}
	if err := os.WriteFile(filepath.Join(dir, "url"), []byte(s.ClientURL()), 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	s.WaitForShutdown()
	return nil
}

func connect(dir string) (*nats.Conn, error) {
	url, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		return nil, err
	}
	config, err := credentials(dir, "client")
	if err != nil {
		return nil, err
	}
	return nats.Connect(string(url), nats.Secure(config))
}

func respond(dir string) error {
	conn, err := connect(dir)
	if err != nil {
		return err
	}
	_, err = conn.Subscribe("bench.echo", func(m *nats.Msg) {
		if err := m.Respond(m.Data); err != nil {
			log.Print(err)
		}
	})
	if err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// Make count requests from as many goroutines as inflight says.
func together(conn *nats.Conn, inflight, count int, body []byte) ([]time.Duration, error) {
	latencies := make([][]time.Duration, inflight)
	failures := make([]error, inflight)
	var group sync.WaitGroup
	for i := 0; i < inflight; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := 0; n < count/inflight; n++ {
				sent := time.Now()
				answer, err := conn.Request("bench.echo", body, 10*time.Second)
				if err == nil && !bytes.Equal(answer.Data, body) {
					err = fmt.Errorf("a wrong answer")
				}
				if err != nil {
					failures[i] = err
					return
				}
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

func request(dir string, inflight, count, warm, size int) error {
	conn, err := connect(dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	body := bytes.Repeat([]byte("x"), size)
	if _, err := together(conn, inflight, warm, body); err != nil {
		return err
	}
	start := time.Now()
	all, err := together(conn, inflight, count, body)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"seconds": seconds, "count": len(all),
		"p50_us": float64(all[len(all)/2].Nanoseconds()) / 1e3,
		"p99_us": float64(all[len(all)*99/100].Nanoseconds()) / 1e3,
	})
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: nats-peer server|respond|request -dir D ...")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	dir := flags.String("dir", "", "folder with certificates and the files named above")
	inflight := flags.Int("inflight", 1, "requests in flight")
	count := flags.Int("count", 10000, "requests in all")
	warm := flags.Int("warm", 0, "requests before those that are measured")
	size := flags.Int("size", 128, "bytes of a request")
	_ = flags.Parse(os.Args[2:])
	var err error
	switch os.Args[1] {
	case "server":
		err = serve(*dir)
	case "respond":
		err = respond(*dir)
	case "request":
		err = request(*dir, *inflight, *count, *warm, *size)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}
