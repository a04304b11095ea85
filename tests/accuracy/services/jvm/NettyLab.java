// SPDX-License-Identifier: Apache-2.0
// reactor-netty as server and client, on event loops. /p Mono.zip, /h a blocking call on the elastic scheduler.
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.ConnectionProvider;

public class NettyLab {
  private static final String BACKEND = "http://127.0.0.1:" + System.getenv("LAB_BACKEND");
  private static HttpClient client;

  private static int number(String name, int otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : Integer.parseInt(value);
  }

  private static Mono<String> call(String path) {
    return client.get().uri(BACKEND + path).responseContent().aggregate().asString();
  }

  private static String blocking(String path) {
    try {
      HttpURLConnection connection = (HttpURLConnection) URI.create(BACKEND + path).toURL().openConnection();
      try (InputStream body = connection.getInputStream()) {
        return new String(body.readAllBytes());
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static Mono<String> answer(String path) {
    String[] part = path.split("/");
    String a = "/b/" + part[2] + "/a";
    String b = "/b/" + part[2] + "/b";
    switch (part[1]) {
      case "r":
        return call(a);
      case "s":
        return call(a).flatMap(first -> call(b).map(second -> first + second));
      case "p":
        return Mono.zip(call(a), call(b)).map(both -> both.getT1() + both.getT2());
      case "h":
        return Mono.fromCallable(() -> blocking(a)).subscribeOn(Schedulers.boundedElastic());
      default:
        return call(path);
    }
  }

  public static void main(String[] arguments) {
    int limit = number("LAB_POOL", 512);
    client = HttpClient.create(ConnectionProvider.builder("lab").maxConnections(limit).pendingAcquireMaxCount(-1).build());
    var server = HttpServer.create().host("127.0.0.1").port(number("LAB_PORT", 0))
        .handle((request, response) -> response.sendString(answer(request.uri()))).bindNow();
    if (number("LAB_TIMER", 0) != 0) {
      call("/b/bg/start").block();
      Flux.interval(Duration.ofMillis(20)).onBackpressureDrop().concatMap(n -> call("/b/bg/" + n)).subscribe();
    }
    server.onDispose().block();
  }
}
