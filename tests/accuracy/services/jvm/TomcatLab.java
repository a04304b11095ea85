// SPDX-License-Identifier: Apache-2.0
// A servlet in Tomcat that calls with HttpURLConnection. /h submit to a pool and get, /p two of them, /f an asynchronous servlet,
// answered by the pool.
import jakarta.servlet.AsyncContext;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.startup.Tomcat;

public class TomcatLab extends HttpServlet {
  private static final String BACKEND = "http://127.0.0.1:" + System.getenv("LAB_BACKEND");
  private static final ExecutorService pool = Executors.newFixedThreadPool(number("LAB_HANDOFF", 32));

  private static int number(String name, int otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : Integer.parseInt(value);
  }

  private static String call(String path) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) URI.create(BACKEND + path).toURL().openConnection();
    try (InputStream body = connection.getInputStream()) {
      return new String(body.readAllBytes());
    }
  }

  private static String answer(String path) throws IOException, InterruptedException, ExecutionException {
    String[] part = path.split("/");
    String a = "/b/" + part[2] + "/a";
    String b = "/b/" + part[2] + "/b";
    switch (part[1]) {
      case "r":
        return call(a);
      case "s":
        return call(a) + call(b);
      case "h":
        return pool.submit(() -> call(a)).get();
      case "p": {
        Future<String> first = pool.submit(() -> call(a));
        Future<String> second = pool.submit(() -> call(b));
        return first.get() + second.get();
      }
      default:
        return call(path);
    }
  }

  private static void later(AsyncContext context, String name) {
    try {
      String text = call("/b/" + name + "/a") + call("/b/" + name + "/b");
      context.getResponse().getWriter().write(text);
    } catch (IOException error) {
      ((HttpServletResponse) context.getResponse()).setStatus(500);
    }
    context.complete();
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String path = request.getRequestURI();
    if (path.startsWith("/f/")) {
      AsyncContext context = request.startAsync();
      pool.submit(() -> later(context, path.substring(3)));
      return;
    }
    try {
      response.getWriter().write(answer(path));
    } catch (InterruptedException | ExecutionException error) {
      response.sendError(500, error.toString());
    }
  }

  private static void background() {
    try {
      call("/b/bg/start");
      for (int n = 0;; n++) {
        Thread.sleep(20);
        call("/b/bg/" + n);
      }
    } catch (IOException | InterruptedException error) {
      error.printStackTrace();
    }
  }

  public static void main(String[] arguments) throws Exception {
    int threads = number("LAB_WORKERS", 64);
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(arguments[0]);
    tomcat.setPort(number("LAB_PORT", 0));
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().setProperty("maxThreads", String.valueOf(threads));
    tomcat.getConnector().setProperty("minSpareThreads", String.valueOf(threads));
    tomcat.getConnector().setProperty("maxKeepAliveRequests", "-1");
    Context context = tomcat.addContext("", null);
    Wrapper servlet = Tomcat.addServlet(context, "lab", new TomcatLab());
    servlet.setAsyncSupported(true);
    context.addServletMappingDecoded("/*", "lab");
    tomcat.start();
    if (number("LAB_TIMER", 0) != 0) {
      Thread timer = new Thread(TomcatLab::background);
      timer.setDaemon(true);
      timer.start();
    }
    tomcat.getServer().await();
  }
}
