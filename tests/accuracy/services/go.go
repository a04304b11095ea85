// SPDX-License-Identifier: Apache-2.0

// net/http as server and client, with LAB_SERVE=h2c as a server of HTTP/2. /h: a pool of four workers fed by a channel, one more channel for the answer.
// /d: a goroutine that a goroutine makes.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	backend = os.Getenv("LAB_URL")
	client  = &http.Client{}
	jobs    = make(chan job)
)

type job struct {
	path   string
	answer chan string
}

func call(path string) string {
	answer, err := client.Get(backend + path)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

func worker() {
	for j := range jobs {
		j.answer <- call(j.path)
	}
}

func handOver(path string) string {
	answer := make(chan string, 1)
	jobs <- job{path, answer}
	return <-answer
}

// Each in a goroutine of its own, as errgroup starts them.
func atOnce(do func(string) string, paths ...string) string {
	answers := make([]string, len(paths))
	var group sync.WaitGroup
	for i, path := range paths {
		group.Add(1)
		go func() {
			defer group.Done()
			answers[i] = do(path)
		}()
	}
	group.Wait()
	return strings.Join(answers, "")
}

func handle(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(r.URL.Path, "/")
	if len(part) < 3 {
		return
	}
	a, b := "/b/"+part[2]+"/a", "/b/"+part[2]+"/b"
	switch part[1] {
	case "r":
		io.WriteString(w, call(a))
	case "s":
		io.WriteString(w, call(a)+call(b))
	case "p":
		io.WriteString(w, atOnce(call, a, b))
	case "h":
		io.WriteString(w, handOver(a))
	case "hp":
		io.WriteString(w, atOnce(handOver, a, b))
	case "d":
		io.WriteString(w, atOnce(func(path string) string { return atOnce(call, path) }, a))
	case "b":
		io.WriteString(w, call(r.URL.Path))
	}
}

func main() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	transport.MaxConnsPerHost, _ = strconv.Atoi(os.Getenv("LAB_POOL"))
	client.Transport = transport
	for i := 0; i < 4; i++ {
		go worker()
	}
	if os.Getenv("LAB_TIMER") != "" {
		call("/b/bg/start")
		go func() {
			for n := 0; ; n++ {
				time.Sleep(20 * time.Millisecond)
				call(fmt.Sprintf("/b/bg/%d", n))
			}
		}()
	}
	address, handler := "127.0.0.1:"+os.Getenv("LAB_PORT"), http.HandlerFunc(handle)
	if certificate := os.Getenv("LAB_CERTIFICATE"); certificate != "" {
		panic(http.ListenAndServeTLS(address, certificate, os.Getenv("LAB_KEY"), handler))
	}
	server := &http.Server{Addr: address, Handler: handler, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(os.Getenv("LAB_SERVE") == "h2c")
	panic(server.ListenAndServe())
}
