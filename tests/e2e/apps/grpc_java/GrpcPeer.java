// SPDX-License-Identifier: Apache-2.0
// grpc-java without generated code: `serve PORT COUNTFILE`, or `call PORT COUNT THREADS`. The methods are those of
// grpc_go/main.go.
import io.grpc.CallOptions;
import io.grpc.HandlerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

public class GrpcPeer {
  static final AtomicInteger calls = new AtomicInteger();

  static final MethodDescriptor.Marshaller<byte[]> RAW = new MethodDescriptor.Marshaller<>() {
    @Override public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }
    @Override public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new RuntimeException(error);
      }
    }
  };

  static MethodDescriptor<byte[], byte[]> method(String name) {
    boolean streams = name.contains("/Stream");
    return MethodDescriptor.<byte[], byte[]>newBuilder()
        .setType(streams ? MethodDescriptor.MethodType.BIDI_STREAMING : MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(name).setRequestMarshaller(RAW).setResponseMarshaller(RAW).build();
  }

  static byte[] twice(byte[] message) {
    byte[] answer = new byte[2 * message.length];
    System.arraycopy(message, 0, answer, 0, message.length);
    System.arraycopy(message, 0, answer, message.length, message.length);
    return answer;
  }

  static StreamObserver<byte[]> echo(StreamObserver<byte[]> answers) {
    calls.incrementAndGet();
    return new StreamObserver<>() {
      @Override public void onNext(byte[] message) {
        answers.onNext(twice(message));
      }
      @Override public void onError(Throwable error) {}
      @Override public void onCompleted() {
        answers.onCompleted();
      }
    };
  }

  static void unary(String name, byte[] request, StreamObserver<byte[]> answer) {
    calls.incrementAndGet();
    if (name.contains("/Fail")) {
      answer.onError(Status.NOT_FOUND.withDescription("no such thing").asRuntimeException());
      return;
    }
    answer.onNext(twice(request));
    answer.onCompleted();
  }

  static void serve(int port, String file) throws Exception {
    HandlerRegistry any = new HandlerRegistry() {
      @Override public ServerMethodDefinition<?, ?> lookupMethod(String name, String authority) {
        return name.contains("/Stream")
            ? ServerMethodDefinition.create(method(name), ServerCalls.asyncBidiStreamingCall(GrpcPeer::echo))
            : ServerMethodDefinition.create(method(name),
                ServerCalls.asyncUnaryCall((byte[] request, StreamObserver<byte[]> answer) -> unary(name, request, answer)));
      }
    };
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        Files.writeString(Path.of(file), calls.toString());
      } catch (IOException error) {
        error.printStackTrace();
      }
    }));
    NettyServerBuilder.forAddress(new java.net.InetSocketAddress("127.0.0.1", port)).fallbackHandlerRegistry(any).build()
        .start().awaitTermination();
  }

  static void stream(ManagedChannel channel, CallOptions options, int i) throws Exception {
    CompletableFuture<Integer> done = new CompletableFuture<>();
    StreamObserver<byte[]> requests = ClientCalls.asyncBidiStreamingCall(
        channel.newCall(method("shop.Cart/Stream" + i), options), new StreamObserver<byte[]>() {
          int answers = 0;
          @Override public void onNext(byte[] answer) {
            answers++;
          }
          @Override public void onError(Throwable error) {
            done.completeExceptionally(error);
          }
          @Override public void onCompleted() {
            done.complete(answers);
          }
        });
    for (int k = 0; k <= i % 5; k++) requests.onNext(new byte[10]);
    requests.onCompleted();
    if (done.get() != i % 5 + 1) throw new IllegalStateException("call " + i);
  }

  static void one(ManagedChannel channel, int i) throws Exception {
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS);
    if (i % 10 != 0 && i % 4 == 0) {
      stream(channel, options, i);
      return;
    }
    String name = "shop.Cart/" + (i % 10 == 0 ? "Fail" : "Add") + i;
    try {
      ClientCalls.blockingUnaryCall(channel, method(name), options, new byte[i % 3000]);
    } catch (StatusRuntimeException error) {
      if (i % 10 != 0 || error.getStatus().getCode() != Status.Code.NOT_FOUND) throw error;
    }
  }

  static void call(int port, int count, int threads) throws Exception {
    ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    AtomicInteger next = new AtomicInteger();
    Future<?>[] workers = new Future<?>[threads];
    for (int t = 0; t < threads; t++) {
      workers[t] = pool.submit(() -> {
        for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) one(channel, i);
        return null;
      });
    }
    for (Future<?> worker : workers) worker.get();
    pool.shutdown();
    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("serve")) {
      serve(Integer.parseInt(args[1]), args[2]);
    } else {
      call(Integer.parseInt(args[1]), Integer.parseInt(args[2]), Integer.parseInt(args[3]));
    }
  }
}
