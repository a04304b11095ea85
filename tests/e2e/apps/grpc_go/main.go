// SPDX-License-Identifier: Apache-2.0

// grpc-go without generated code: serve PORT [CERTIFICATE KEY], call PORT COUNT CONNECTIONS [AUTHORITY]; like grpc_peer.py.
// For script/bench: a server that echoes and counts (bench PORT STATUS_PORT).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Messages are bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

var logLock sync.Mutex

func answer(log *os.File) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		from, _ := peer.FromContext(stream.Context())
		line, _ := json.Marshal(map[string]any{"method": method, "port": from.Addr.(*net.TCPAddr).Port})
		logLock.Lock()
		log.Write(append(line, '\n'))
		logLock.Unlock()
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		if strings.Contains(method, "/Fail") {
			return status.Error(codes.NotFound, "no such thing")
		}
		message = append(message, message...)
		return stream.SendMsg(&message)
	}
}

func serve(port string, secrets []string) {
	path := os.Getenv("ACCESS_LOG")
	if path == "" {
		path = os.DevNull
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(err)
	options := []grpc.ServerOption{grpc.UnknownServiceHandler(answer(log))}
	if len(secrets) == 2 {
		transport, err := credentials.NewServerTLSFromFile(secrets[0], secrets[1])
		check(err)
		options = append(options, grpc.Creds(transport))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	check(err)
	check(grpc.NewServer(options...).Serve(listener))
}

func bench(port, statusPort string) {
	var served atomic.Int64
	status := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, served.Load()) }
	go http.ListenAndServe("127.0.0.1:"+statusPort, http.HandlerFunc(status))
	echo := func(_ any, stream grpc.ServerStream) error {
		served.Add(1)
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		return stream.SendMsg(&message)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	check(err)
	check(grpc.NewServer(grpc.UnknownServiceHandler(echo)).Serve(listener))
}

func call(port string, count, connections int, authority []string) {
	transport := insecure.NewCredentials()
	if len(authority) == 1 {
		var err error
		transport, err = credentials.NewClientTLSFromFile(authority[0], "")
		check(err)
	}
	var group sync.WaitGroup
	for c := 0; c < connections; c++ {
		channel, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(transport))
		check(err)
		group.Add(1)
		go func(first int) {
			defer group.Done()
			for i := first; i < count; i += connections {
				name := fmt.Sprintf("/shop.Cart/Add%d", i)
				if i%10 == 0 {
					name = fmt.Sprintf("/shop.Cart/Fail%d", i)
				}
				request := []byte(strings.Repeat("x", i%3000))
				var reply []byte
				err := channel.Invoke(context.Background(), name, &request, &reply)
				if status.Code(err) != codes.OK && i%10 != 0 {
					panic(err)
				}
			}
		}(c)
	}
	group.Wait()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	encoding.RegisterCodec(raw{})
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3:])
		return
	}
	if os.Args[1] == "bench" {
		bench(os.Args[2], os.Args[3])
		return
	}
	count, _ := strconv.Atoi(os.Args[3])
	connections, _ := strconv.Atoi(os.Args[4])
	call(os.Args[2], count, connections, os.Args[5:])
}
