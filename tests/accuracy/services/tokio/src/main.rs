// SPDX-License-Identifier: Apache-2.0
//! axum and reqwest; LAB_LOOP: multi or current (thread). /p join!, /c a spawned task, /cp two of them, /u FuturesUnordered,
//! /q four actors behind channels.
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot, Semaphore};

type Job = (String, oneshot::Sender<String>);

struct Lab {
    client: reqwest::Client,
    backend: String,
    limit: Option<Arc<Semaphore>>,
    actors: Vec<mpsc::UnboundedSender<Job>>,
}

static LAB: OnceLock<Lab> = OnceLock::new();

fn lab() -> &'static Lab {
    LAB.get().unwrap()
}

fn number(name: &str) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

async fn call(path: String) -> String {
    let _permit = match &lab().limit {
        Some(limit) => Some(limit.acquire().await.unwrap()),
        None => None,
    };
    let answer = lab().client.get(format!("{}{}", lab().backend, path)).send().await.unwrap();
    answer.text().await.unwrap()
}

async fn actor(mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some((path, reply)) = jobs.recv().await {
        let _ = reply.send(call(path).await);
    }
}

async fn ask_actor(path: String, id: &str) -> String {
    let (reply, answer) = oneshot::channel();
    let chosen = id.bytes().map(usize::from).sum::<usize>() % lab().actors.len();
    lab().actors[chosen].send((path, reply)).unwrap();
    answer.await.unwrap()
}

async fn handle(request: Request) -> String {
    let path = request.uri().path().to_owned();
    let mut parts = path.split('/').skip(1);
    let (mode, id) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let (a, b) = (format!("/b/{id}/a"), format!("/b/{id}/b"));
    match mode {
        "r" => call(a).await,
        "s" => call(a).await + &call(b).await,
        "p" => {
            let (first, second) = tokio::join!(call(a), call(b));
            first + &second
        }
        "c" => tokio::spawn(call(a)).await.unwrap(),
        "cp" => {
            let (first, second) = (tokio::spawn(call(a)), tokio::spawn(call(b)));
            first.await.unwrap() + &second.await.unwrap()
        }
        "u" => [call(a), call(b)].into_iter().collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await.concat(),
        "q" => ask_actor(a, id).await,
        _ => call(path.clone()).await,
    }
}

async fn background() {
    call("/b/bg/start".to_owned()).await;
    for n in 0.. {
        tokio::time::sleep(Duration::from_millis(20)).await;
        call(format!("/b/bg/{n}")).await;
    }
}

async fn serve() {
    let (actors, inboxes): (Vec<_>, Vec<_>) = (0..4).map(|_| mpsc::unbounded_channel()).unzip();
    let limit = number("LAB_POOL");
    let _ = LAB.set(Lab {
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        backend: format!("http://127.0.0.1:{}", number("LAB_BACKEND")),
        limit: (limit > 0).then(|| Arc::new(Semaphore::new(limit))),
        actors,
    });
    for inbox in inboxes {
        tokio::spawn(actor(inbox));
    }
    if number("LAB_TIMER") > 0 {
        tokio::spawn(background());
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", number("LAB_PORT") as u16)).await.unwrap();
    axum::serve(listener, axum::Router::new().fallback(handle)).await.unwrap();
}

fn main() {
    let mut builder = match std::env::var("LAB_LOOP").as_deref() {
        Ok("current") => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(4).enable_all().build().unwrap().block_on(serve());
}
