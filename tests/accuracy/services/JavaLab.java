// SPDX-License-Identifier: Apache-2.0
// The JDK's own server. LAB_CLIENT: send (HttpClient) or url (HttpURLConnection); LAB_VIRTUAL: a virtual thread per request.
// /h submit to a pool and get, /p two of them, /f stages of supplyAsync, /n a chain of sendAsync; of the last two the handler
// has returned before the answer.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class JavaLab {
  private static final String BACKEND = "http://127.0.0.1:" + System.getenv("LAB_BACKEND");
  private static final boolean URL_CONNECTION = "url".equals(System.getenv("LAB_CLIENT"));
  private static final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private static final ExecutorService pool = Executors.newFixedThreadPool(number("LAB_HANDOFF", 32));

  private static int number(String name, int otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : Integer.parseInt(value);
  }

  private static HttpRequest request(String path) {
    return HttpRequest.newBuilder(URI.create(BACKEND + path)).build();
  }

  private static String call(String path) {
    try {
      if (!URL_CONNECTION) {
        return client.send(request(path), HttpResponse.BodyHandlers.ofString()).body();
      }
      HttpURLConnection connection = (HttpURLConnection) URI.create(BACKEND + path).toURL().openConnection();
      try (InputStream body = connection.getInputStream()) {
        return new String(body.readAllBytes());
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private static CompletableFuture<String> callAsync(String path) {
    return client.sendAsync(request(path), HttpResponse.BodyHandlers.ofString()).thenApply(HttpResponse::body);
  }

  private static void answer(HttpExchange exchange, int status, String text) {
    byte[] body = text.getBytes();
    try (exchange) {
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static void answerLater(HttpExchange exchange, CompletableFuture<String> text) {
    text.whenComplete((body, error) -> answer(exchange, error == null ? 200 : 500, error == null ? body : error.toString()));
  }

  private static void handle(HttpExchange exchange) throws Exception {
    String path = exchange.getRequestURI().getPath();
    String[] part = path.split("/");
    String a = "/b/" + part[2] + "/a";
    String b = "/b/" + part[2] + "/b";
    switch (part[1]) {
      case "r" -> answer(exchange, 200, call(a));
      case "s" -> answer(exchange, 200, call(a) + call(b));
      case "h" -> answer(exchange, 200, pool.submit(() -> call(a)).get());
      case "p" -> {
        Future<String> first = pool.submit(() -> call(a));
        Future<String> second = pool.submit(() -> call(b));
        answer(exchange, 200, first.get() + second.get());
      }
      case "f" -> answerLater(exchange,
          CompletableFuture.supplyAsync(() -> call(a), pool).thenApplyAsync(text -> text + call(b), pool));
      case "n" -> answerLater(exchange, callAsync(a).thenCompose(text -> callAsync(b).thenApply(more -> text + more)));
      default -> answer(exchange, 200, call(path));
    }
  }

  private static void handleSafely(HttpExchange exchange) {
    try {
      handle(exchange);
    } catch (Exception error) {
      answer(exchange, 500, error.toString());
    }
  }

  private static void background() {
    call("/b/bg/start");
    for (int n = 0;; n++) {
      try {
        Thread.sleep(20);
      } catch (InterruptedException error) {
        return;
      }
      call("/b/bg/" + n);
    }
  }

  private static ExecutorService serverThreads() throws ReflectiveOperationException {
    if (System.getenv("LAB_VIRTUAL") != null) { // by name, so that Java 17 compiles this
      return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }
    return Executors.newFixedThreadPool(number("LAB_WORKERS", 64));
  }

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", number("LAB_PORT", 0)), 256);
    server.setExecutor(serverThreads());
    server.createContext("/", JavaLab::handleSafely);
    server.start();
    if (number("LAB_TIMER", 0) != 0) {
      Thread timer = new Thread(JavaLab::background);
      timer.setDaemon(true);
      timer.start();
    }
  }
}
