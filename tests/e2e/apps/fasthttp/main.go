// SPDX-License-Identifier: Apache-2.0
// A server that answers what a connection sent at once with one write: more requests a second than nginx brings.
// PORT answers everything; STATUS_PORT tells how many requests that were.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

func main() {
	var served atomic.Int64
	status := http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, served.Load()) })
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], status)) }()
	log.Fatal(fasthttp.ListenAndServe("127.0.0.1:"+os.Args[1], func(context *fasthttp.RequestCtx) {
		served.Add(1)
		context.SetBodyString("hello")
	}))
}
