// SPDX-License-Identifier: Apache-2.0
// The JDK's own server (serve PORT) and HttpClient (call BASE FILE); answers and logs like answer.py.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class JavaPeer {
  private static PrintWriter log;

  private static synchronized void log(String method, String target, int status, long size, long received, double ms) {
    log.printf("{\"method\":\"%s\",\"target\":\"%s\",\"status\":%d,\"response_bytes\":%d,\"request_bytes\":%d,"
        + "\"duration_ms\":%.3f}%n", method, target, status, size, received, ms);
    log.flush();
  }

  private static int query(String query, String key, int otherwise) {
    Matcher match = Pattern.compile("(?:^|&)" + key + "=(\\d+)").matcher(query == null ? "" : query);
    return match.find() ? Integer.parseInt(match.group(1)) : otherwise;
  }

  private static void handle(HttpExchange exchange) throws IOException {
    long begin = System.nanoTime();
    long received = exchange.getRequestBody().readAllBytes().length;
    String query = exchange.getRequestURI().getRawQuery();
    int status = query(query, "status", 200);
    int size = query(query, "size", 64);
    int ms = query(query, "ms", 0);
    if (ms > 0) {
      try {
        Thread.sleep(ms);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    // 0 asks for a chunked answer, -1 for one without a body.
    exchange.sendResponseHeaders(status, query(query, "chunked", 0) == 1 ? 0 : size == 0 ? -1 : size);
    if (size > 0) {
      exchange.getResponseBody().write(new byte[size]);
    }
    exchange.close();
    log(exchange.getRequestMethod(), exchange.getRequestURI().toString(), status, size, received,
        (System.nanoTime() - begin) / 1e6);
  }

  private static void serve(int port) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 64);
    server.createContext("/", JavaPeer::handle);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.start();
  }

  private static void one(HttpClient client, String base, String line) {
    String method = line.replaceAll(".*\"method\": ?\"(\\w+)\".*", "$1");
    String target = line.replaceAll(".*\"target\": ?\"([^\"]+)\".*", "$1");
    int bytes = Integer.parseInt(line.replaceAll(".*\"bytes\": ?(\\d+).*", "$1"));
    HttpRequest request = HttpRequest.newBuilder(URI.create(base + target)).version(HttpClient.Version.HTTP_1_1)
        .method(method, bytes > 0 ? HttpRequest.BodyPublishers.ofByteArray(new byte[bytes])
                                  : HttpRequest.BodyPublishers.noBody()).build();
    try {
      HttpResponse<byte[]> answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      log(method, target, answer.statusCode(), answer.body().length, bytes, 1e9);
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(line, e);
    }
  }

  private static void call(String base, String file) throws Exception {
    HttpClient client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).build();
    List<String> lines = Files.readAllLines(Path.of(file));
    ExecutorService pool = Executors.newFixedThreadPool(8);
    lines.forEach(line -> pool.submit(() -> one(client, base, line)));
    pool.shutdown();
    pool.awaitTermination(60, TimeUnit.SECONDS);
    System.exit(0);
  }

  public static void main(String[] args) throws Exception {
    boolean serve = args[0].equals("serve");
    log = new PrintWriter(new FileWriter(System.getenv(serve ? "ACCESS_LOG" : "CLIENT_LOG"), true));
    if (serve) {
      serve(Integer.parseInt(args[1]));
    } else {
      call(args[1], args[2]);
    }
  }
}
