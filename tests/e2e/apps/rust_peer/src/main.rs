// SPDX-License-Identifier: Apache-2.0
//! rustls three ways: `serve PORT CERTIFICATE KEY` (axum on hyper and tokio), `serve-blocking PORT CERTIFICATE KEY` (a thread
//! per connection), `call BASE FILE` (reqwest). Answers and logs like answer.py and node_client.mjs.
mod blocking;

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use tower::ServiceExt;

static LOG: OnceLock<Mutex<File>> = OnceLock::new();

pub fn open_log(variable: &str) {
    let path = std::env::var(variable).unwrap();
    let _ = LOG.set(Mutex::new(OpenOptions::new().create(true).append(true).open(path).unwrap()));
}

pub fn log(method: &str, target: &str, status: u16, response: usize, request: usize, port: Option<u16>) {
    let mut line = serde_json::json!({"method": method, "target": target, "status": status, "response_bytes": response,
                                      "request_bytes": request});
    if let Some(port) = port {
        line["port"] = port.into();
    }
    writeln!(LOG.get().unwrap().lock().unwrap(), "{line}").unwrap();
}

/// (size, status, milliseconds, chunked) of a target's query.
pub fn wanted(target: &str) -> (usize, u16, u64, bool) {
    let (mut size, mut status, mut pause, mut chunked) = (64, 200, 0, false);
    for pair in target.split_once('?').map_or("", |(_, query)| query).split('&') {
        match pair.split_once('=') {
            Some(("size", value)) => size = value.parse().unwrap_or(64),
            Some(("status", value)) => status = value.parse().unwrap_or(200),
            Some(("ms", value)) => pause = value.parse().unwrap_or(0),
            Some(("chunked", value)) => chunked = value == "1",
            _ => {}
        }
    }
    (size, status, pause, chunked)
}

pub fn configuration(certificate: &str, key: &str, alpn: &[&str]) -> Arc<rustls::ServerConfig> {
    let chain = rustls_pemfile::certs(&mut BufReader::new(File::open(certificate).unwrap())).map(|c| c.unwrap()).collect();
    let secret = rustls_pemfile::private_key(&mut BufReader::new(File::open(key).unwrap())).unwrap().unwrap();
    let mut made = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret).unwrap();
    made.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(made)
}

async fn answer(request: Request, from: SocketAddr) -> Response {
    let (head, body) = request.into_parts();
    let received = body.collect().await.map(|b| b.to_bytes().len()).unwrap_or(0);
    let target = head.uri.path_and_query().unwrap().to_string();
    let (size, status, pause, chunked) = wanted(&target);
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    log(head.method.as_str(), &target, status, size, received, Some(from.port()));
    let body = if chunked {
        let text = Bytes::from(vec![b'x'; size]);
        let pieces = vec![Ok::<_, std::io::Error>(text.slice(..size / 2)), Ok(text.slice(size / 2..))];
        Body::from_stream(futures_util::stream::iter(pieces))
    } else {
        Body::from(vec![b'x'; size])
    };
    Response::builder().status(status).header("content-type", "text/plain").body(body).unwrap()
}

async fn serve(port: u16, certificate: &str, key: &str) {
    let acceptor = tokio_rustls::TlsAcceptor::from(configuration(certificate, key, &["h2", "http/1.1"]));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (stream, from) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let router = axum::Router::new().fallback(move |request: Request| answer(request, from));
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                router.clone().oneshot(request.map(Body::new))
            });
            let _ = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new())
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn call(base: String, path: &str) {
    let authority = std::fs::read(std::env::var("SSL_CERT_FILE").unwrap()).unwrap();
    let mut builder = reqwest::Client::builder().use_rustls_tls().redirect(reqwest::redirect::Policy::none())
        .add_root_certificate(reqwest::Certificate::from_pem(&authority).unwrap());
    if std::env::var("CLIENT_HTTP1").is_ok() {
        builder = builder.http1_only();
    }
    let client = builder.build().unwrap();
    let lines: Vec<serde_json::Value> =
        std::fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let (client, base) = (client.clone(), base.clone());
        let part: Vec<_> = lines.iter().skip(worker).step_by(8).cloned().collect();
        tasks.push(tokio::spawn(async move {
            for line in part {
                let (method, target) = (line["method"].as_str().unwrap(), line["target"].as_str().unwrap());
                let bytes = line["bytes"].as_u64().unwrap() as usize;
                let mut request = client.request(method.parse().unwrap(), format!("{base}{target}"));
                if bytes > 0 {
                    request = request.body(vec![b'y'; bytes]);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                log(method, target, status, answer.bytes().await.unwrap().len(), bytes, None);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match arguments[1].as_str() {
        "serve" => {
            open_log("ACCESS_LOG");
            runtime().block_on(serve(arguments[2].parse().unwrap(), &arguments[3], &arguments[4]));
        }
        "serve-blocking" => {
            open_log("ACCESS_LOG");
            blocking::serve(arguments[2].parse().unwrap(), configuration(&arguments[3], &arguments[4], &["http/1.1"]));
        }
        "call" => {
            open_log("CLIENT_LOG");
            runtime().block_on(call(arguments[2].clone(), &arguments[3]));
        }
        other => panic!("{other}?"),
    }
}
