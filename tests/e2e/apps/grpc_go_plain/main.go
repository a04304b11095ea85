// SPDX-License-Identifier: Apache-2.0

// grpc-go without generated code: `serve PORT COUNTFILE`, or `call PORT COUNT THREADS`. Method AddN is unary, StreamN has
// N%5+1 messages each way, FailN fails with NOT_FOUND. The server writes how many calls it had when it is stopped.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "raw" }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port, file string) {
	var calls atomic.Int64
	handler := func(_ any, stream grpc.ServerStream) error {
		calls.Add(1)
		method, _ := grpc.MethodFromServerStream(stream)
		if strings.Contains(method, "/Fail") {
			return status.Error(codes.NotFound, "no such thing")
		}
		for {
			var message []byte
			if err := stream.RecvMsg(&message); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			answer := append(message, message...)
			if err := stream.SendMsg(&answer); err != nil {
				return err
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(err)
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(handler))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		must(os.WriteFile(file, []byte(strconv.FormatInt(calls.Load(), 10)), 0o644))
		os.Exit(0)
	}()
	must(server.Serve(listener))
}

func stream(ctx context.Context, connection *grpc.ClientConn, i int) error {
	description := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	open, err := connection.NewStream(ctx, description, fmt.Sprintf("/shop.Cart/Stream%d", i))
	if err != nil {
		return err
	}
	for k := 0; k <= i%5; k++ {
		message := make([]byte, 10)
		if err := open.SendMsg(&message); err != nil {
			return err
		}
	}
	if err := open.CloseSend(); err != nil {
		return err
	}
	for k := 0; ; k++ {
		var answer []byte
		if err := open.RecvMsg(&answer); err == io.EOF && k == i%5+1 {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func one(connection *grpc.ClientConn, i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	message, answer := make([]byte, i%3000), []byte(nil)
	switch {
	case i%10 == 0:
		err := connection.Invoke(ctx, fmt.Sprintf("/shop.Cart/Fail%d", i), &message, &answer)
		if status.Code(err) != codes.NotFound {
			return fmt.Errorf("call %d: %v", i, err)
		}
		return nil
	case i%4 == 0:
		return stream(ctx, connection, i)
	}
	return connection.Invoke(ctx, fmt.Sprintf("/shop.Cart/Add%d", i), &message, &answer)
}

func call(port string, count, threads int) {
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	must(err)
	var next atomic.Int64
	var all sync.WaitGroup
	for range threads {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				must(one(connection, i))
			}
		}()
	}
	all.Wait()
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
		return
	}
	count, _ := strconv.Atoi(os.Args[3])
	threads, _ := strconv.Atoi(os.Args[4])
	call(os.Args[2], count, threads)
}
