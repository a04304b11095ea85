// SPDX-License-Identifier: Apache-2.0

// Both ends of the lab: the backend that every service calls (traffic backend PORT [CERTIFICATE KEY]; HTTP/2 too if LAB_H2 is
// set, or without TLS, and whoever asks in gRPC is answered so), and the load (traffic load PORT CONNECTIONS [tls|h2c|grpc]), which keeps its connections over the commands
// that it reads from standard input. Of HTTP/2 and gRPC, CONNECTIONS is how many requests are open at once, on four connections. The identity of a request
// stands in its path; the backend answers with the path that it was asked for, and the load checks that a service passed
// on the answers to that request's own calls.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const answerTimeout = 30 * time.Second

type backend struct {
	lock  sync.Mutex
	calls map[string]int
	open  int
	peak  int          // most requests at once
	delay atomic.Int64 // longest, in microseconds
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/_/reset": // ?us=N: longest delay
		longest, _ := strconv.ParseInt(r.URL.Query().Get("us"), 10, 64)
		b.delay.Store(longest)
		b.lock.Lock()
		b.calls = map[string]int{}
		b.lock.Unlock()
		return
	case "/_/calls":
		b.lock.Lock()
		json.NewEncoder(w).Encode(map[string]any{"calls": b.calls, "peak": b.peak})
		b.lock.Unlock()
		return
	}
	path := r.URL.Path
	if r.Header.Get("traceparent") != "" {
		path += "/traceparent" // a service that does this is not the one we want to measure
	}
	b.lock.Lock()
	b.calls[path]++
	b.open++
	b.peak = max(b.peak, b.open)
	b.lock.Unlock()
	defer func() {
		b.lock.Lock()
		b.open--
		b.lock.Unlock()
	}()
	if longest := b.delay.Load(); longest > 0 {
		time.Sleep(time.Duration(rand.Int63n(longest)) * time.Microsecond)
	}
	if r.Header.Get("Content-Type") == grpcType {
		io.ReadAll(r.Body)
		w.Header().Set("Content-Type", grpcType)
		w.Header().Set("Trailer", "Grpc-Status")
		w.Write(message(path + "\n"))
		w.Header().Set("Grpc-Status", "0")
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, path+"\n")
}

const grpcType = "application/grpc"

// As gRPC frames it: not compressed, length, text.
func message(text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

// One of those that share a connection of HTTP/2.
type stream struct {
	address string
	grpc    bool
	client  *http.Client
}

func (s *stream) get(path string) (string, error) {
	request, err := http.NewRequest("GET", "http://"+s.address+path, nil)
	if s.grpc {
		request, err = http.NewRequest("POST", "http://"+s.address+path, bytes.NewReader(message("")))
		request.Header.Set("Content-Type", grpcType)
		request.Header.Set("TE", "trailers")
	}
	if err != nil {
		return "", err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	if s.grpc && err == nil {
		if status := answer.Trailer.Get("Grpc-Status"); status != "0" || len(body) < 5 {
			return "", fmt.Errorf("gRPC status %q", status)
		}
		body = body[5:]
	}
	return string(body), err
}

// `count` streams on four connections.
func streams(port string, count int, grpc bool) []asker {
	askers := []asker{}
	clients := []*http.Client{}
	for i := 0; i < 4; i++ {
		transport := &http.Transport{Protocols: &http.Protocols{}}
		transport.Protocols.SetUnencryptedHTTP2(true)
		clients = append(clients, &http.Client{Transport: transport, Timeout: answerTimeout})
	}
	for i := 0; i < count; i++ {
		askers = append(askers, &stream{address: "127.0.0.1:" + port, grpc: grpc, client: clients[i%len(clients)]})
	}
	return askers
}

// One command: COUNT requests with ids PREFIX0, PREFIX1, ...; request i uses mode i mod len(Modes).
type command struct {
	Prefix string `json:"prefix"`
	Count  int    `json:"count"`
	Modes  []mode `json:"modes"`
}

// "/name/<id>", which makes the service call /b/<id>/<call> for each of Calls.
type mode struct {
	Name  string   `json:"name"`
	Calls []string `json:"calls"`
}

type result struct {
	Sent    int      `json:"sent"`
	Failed  int      `json:"failed"`
	Seconds float64  `json:"seconds"`
	Errors  []string `json:"errors"`
}

type connection struct {
	address string
	secure  bool
	socket  net.Conn
	reader  *bufio.Reader
}

func (c *connection) open() error {
	if c.socket != nil {
		return nil
	}
	socket, err := net.Dial("tcp", c.address)
	if err != nil {
		return err
	}
	if c.secure { // what is measured is not whom the load trusts
		socket = tls.Client(socket, &tls.Config{InsecureSkipVerify: true})
	}
	c.socket = socket
	c.reader = bufio.NewReader(socket)
	return nil
}

func (c *connection) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

func (c *connection) get(path string) (string, error) {
	if err := c.open(); err != nil {
		return "", err
	}
	c.socket.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := fmt.Fprintf(c.socket, "GET %s HTTP/1.1\r\nHost: lab\r\n\r\n", path); err != nil {
		c.close()
		return "", err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.close()
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.Close {
		c.close()
	}
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return string(body), err
}

// The lines that the service must answer with, in any order.
func expected(id string, calls []string) string {
	lines := []string{}
	for _, call := range calls {
		lines = append(lines, "/b/"+id+"/"+call)
	}
	return strings.Join(lines, "\n")
}

type asker interface {
	get(path string) (string, error)
}

func ask(c asker, m mode, id string) error {
	body, err := c.get("/" + m.Name + "/" + id)
	if err != nil {
		return fmt.Errorf("/%s/%s: %w", m.Name, id, err)
	}
	lines := strings.Fields(body)
	sort.Strings(lines)
	if got := strings.Join(lines, "\n"); got != expected(id, m.Calls) {
		return fmt.Errorf("/%s/%s: answered %q", m.Name, id, got)
	}
	return nil
}

func run(connections []asker, c command) result {
	var next atomic.Int64
	var lock sync.Mutex
	var group sync.WaitGroup
	done := result{Sent: c.Count, Errors: []string{}}
	begin := time.Now()
	for _, one := range connections {
		group.Add(1)
		go func(one asker) {
			defer group.Done()
			for {
				i := int(next.Add(1) - 1)
				if i >= c.Count {
					return
				}
				if err := ask(one, c.Modes[i%len(c.Modes)], c.Prefix+strconv.Itoa(i)); err != nil {
					lock.Lock()
					done.Failed++
					if len(done.Errors) < 5 {
						done.Errors = append(done.Errors, err.Error())
					}
					lock.Unlock()
				}
			}
		}(one)
	}
	group.Wait()
	done.Seconds = time.Since(begin).Seconds()
	return done
}

func connect(port string, count int, secure bool) []asker {
	askers := []asker{}
	for i := 0; i < count; i++ {
		one := &connection{address: "127.0.0.1:" + port, secure: secure}
		if err := one.open(); err != nil {
			panic(err)
		}
		askers = append(askers, one)
	}
	return askers
}

func load(connections []asker) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		json.NewEncoder(os.Stdout).Encode(run(connections, c))
	}
}

func serve(port string, secrets []string) error {
	server := &http.Server{Addr: "127.0.0.1:" + port, Handler: &backend{calls: map[string]int{}}}
	if len(secrets) == 0 {
		server.Protocols = &http.Protocols{}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true)
		return server.ListenAndServe()
	}
	if os.Getenv("LAB_H2") == "" {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	return server.ListenAndServeTLS(secrets[0], secrets[1])
}

func main() {
	if os.Args[1] == "backend" {
		panic(serve(os.Args[2], os.Args[3:]))
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	wire := ""
	if len(os.Args) > 4 {
		wire = os.Args[4]
	}
	if wire == "h2c" || wire == "grpc" {
		load(streams(os.Args[2], count, wire == "grpc"))
		return
	}
	load(connect(os.Args[2], count, wire == "tls"))
}
