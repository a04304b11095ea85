// SPDX-License-Identifier: Apache-2.0

// Servers of HTTP/2, where one goroutine moves the bytes of all streams: grpc-go, and with LAB_SERVE=h2c that of
// golang.org/x/net. They call the backend over HTTP/1 and, /g and /gp, over grpc-go, all calls on one connection.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
)

var (
	backend = os.Getenv("LAB_URL")
	client  = &http.Client{}
	channel *grpc.ClientConn
)

// Messages are bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

func call(path string) string {
	answer, err := client.Get(backend + path)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

func callGrpc(path string) string {
	request, reply := []byte{}, []byte{}
	if err := channel.Invoke(context.Background(), path, &request, &reply); err != nil {
		return err.Error()
	}
	return string(reply)
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

func handle(path string) string {
	part := strings.Split(path, "/")
	if len(part) < 3 {
		return ""
	}
	a, b := "/b/"+part[2]+"/a", "/b/"+part[2]+"/b"
	switch part[1] {
	case "r":
		return call(a)
	case "s":
		return call(a) + call(b)
	case "p":
		return atOnce(call, a, b)
	case "g":
		return callGrpc(a)
	case "gp":
		return atOnce(callGrpc, a, b)
	}
	return ""
}

func serveGrpc(listener net.Listener) error {
	answer := func(_ any, stream grpc.ServerStream) error {
		path, _ := grpc.MethodFromServerStream(stream)
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		message = []byte(handle(path))
		return stream.SendMsg(&message)
	}
	return grpc.NewServer(grpc.UnknownServiceHandler(answer)).Serve(listener)
}

func serveH2c(listener net.Listener) error {
	answer := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, handle(r.URL.Path)) }
	return http.Serve(listener, h2c.NewHandler(http.HandlerFunc(answer), &http2.Server{}))
}

func main() {
	encoding.RegisterCodec(raw{})
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	transport.MaxConnsPerHost, _ = strconv.Atoi(os.Getenv("LAB_POOL"))
	client.Transport = transport
	var err error
	channel, err = grpc.NewClient("127.0.0.1:"+os.Getenv("LAB_BACKEND"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	if os.Getenv("LAB_TIMER") != "" {
		call("/b/bg/start")
		go func() {
			for n := 0; ; n++ {
				time.Sleep(20 * time.Millisecond)
				call(fmt.Sprintf("/b/bg/%d", n))
				callGrpc(fmt.Sprintf("/b/bg/g%d", n))
			}
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("LAB_PORT"))
	if err != nil {
		panic(err)
	}
	if os.Getenv("LAB_SERVE") == "h2c" {
		panic(serveH2c(listener))
	}
	panic(serveGrpc(listener))
}
