// SPDX-License-Identifier: Apache-2.0

// Go's net/http as a server (serve PORT [CERTIFICATE KEY]) and as a client (call BASE FILE); answers and logs like answer.py.
// For script/bench: a server that only counts (bench PORT CERTIFICATE KEY STATUS_PORT).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

type entry struct {
	Method        string  `json:"method"`
	Target        string  `json:"target"`
	Status        int     `json:"status"`
	ResponseBytes int     `json:"response_bytes"`
	RequestBytes  int     `json:"request_bytes"`
	DurationMs    float64 `json:"duration_ms"`
	Port          int     `json:"port,omitempty"`
}

type request struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Bytes  int    `json:"bytes"`
}

var (
	logFile *os.File
	logLock sync.Mutex
)

func openLog(variable string) {
	file, err := os.OpenFile(os.Getenv(variable), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	logFile = file
}

func logLine(e entry) {
	line, _ := json.Marshal(e)
	logLock.Lock()
	defer logLock.Unlock()
	logFile.Write(append(line, '\n'))
}

func number(text string, otherwise int) int {
	if value, err := strconv.Atoi(text); err == nil {
		return value
	}
	return otherwise
}

func handle(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	received, _ := io.Copy(io.Discard, r.Body)
	query := r.URL.Query()
	status := number(query.Get("status"), 200)
	body := bytes.Repeat([]byte("x"), number(query.Get("size"), 64))
	time.Sleep(time.Duration(number(query.Get("ms"), 0)) * time.Millisecond)
	if query.Get("chunked") == "1" {
		w.WriteHeader(status)
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		w.Write(body[len(body)/2:])
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		w.Write(body)
	}
	_, port, _ := net.SplitHostPort(r.RemoteAddr)
	logLine(entry{r.Method, r.RequestURI, status, len(body), int(received), float64(time.Since(begin).Microseconds()) / 1000,
		number(port, 0)})
}

// What servers do that show a title (nginx, PostgreSQL): their environment begins where the arguments end, and is written over.
func clearEnvironment() {
	last := os.Args[len(os.Args)-1]
	size := 0
	for _, variable := range os.Environ() {
		size += len(variable) + 1
	}
	clear(unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(last)), len(last)+1)), size))
}

func serve(port string, secrets []string) {
	openLog("ACCESS_LOG")
	if os.Getenv("CLEAR_ENVIRONMENT") != "" {
		clearEnvironment()
	}
	server := http.Server{Addr: "127.0.0.1:" + port, Handler: http.HandlerFunc(handle)}
	var err error
	if len(secrets) == 2 {
		err = server.ListenAndServeTLS(secrets[0], secrets[1])
	} else {
		err = server.ListenAndServe()
	}
	panic(err)
}

func bench(port, certificate, key, statusPort string) {
	var served atomic.Int64
	status := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, served.Load()) }
	go http.ListenAndServe("127.0.0.1:"+statusPort, http.HandlerFunc(status))
	hello := []byte("hello")
	handler := func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Write(hello)
	}
	panic(http.ListenAndServeTLS("127.0.0.1:"+port, certificate, key, http.HandlerFunc(handler)))
}

func call(base, path string) {
	openLog("CLIENT_LOG")
	file, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	requests := make(chan request)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for r := range requests {
				one(client, base, r)
			}
		}()
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r request
		json.Unmarshal(lines.Bytes(), &r)
		requests <- r
	}
	close(requests)
	group.Wait()
}

func one(client *http.Client, base string, r request) {
	var body io.Reader
	if r.Bytes > 0 {
		body = bytes.NewReader(bytes.Repeat([]byte("y"), r.Bytes))
	}
	message, err := http.NewRequest(r.Method, base+r.Target, body)
	if err != nil {
		panic(err)
	}
	answer, err := client.Do(message)
	if err != nil {
		panic(err)
	}
	size, _ := io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	logLine(entry{Method: r.Method, Target: r.Target, Status: answer.StatusCode, ResponseBytes: int(size), RequestBytes: r.Bytes,
		DurationMs: 1e9})
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3:])
	} else if os.Args[1] == "bench" {
		bench(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	} else {
		call(os.Args[2], os.Args[3])
	}
}
