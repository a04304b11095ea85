// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 by hand on rustls's own blocking stream: what the tests send, not what a server should take.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use crate::{log, wanted};

pub fn serve(port: u16, configuration: Arc<rustls::ServerConfig>) {
    for stream in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let (stream, configuration) = (stream.unwrap(), configuration.clone());
        std::thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let _ = connection(stream, configuration);
        });
    }
}

fn connection(stream: TcpStream, configuration: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
    let port = stream.peer_addr()?.port();
    let tls = rustls::StreamOwned::new(rustls::ServerConnection::new(configuration).unwrap(), stream);
    let mut reader = BufReader::new(tls);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut words = first.split_whitespace();
        let (method, target) = (words.next().unwrap_or("").to_string(), words.next().unwrap_or("").to_string());
        let (mut length, mut close) = (0usize, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            close |= line == "connection: close";
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (size, status, pause, chunked) = wanted(&target);
        std::thread::sleep(std::time::Duration::from_millis(pause));
        log(&method, &target, status, size, length, Some(port));
        let out = reader.get_mut();
        let ending = if close { "Connection: close\r\n" } else { "" };
        if chunked {
            write!(out, "HTTP/1.1 {status} Text\r\n{ending}Transfer-Encoding: chunked\r\n\r\n")?;
            if size > 0 {
                write!(out, "{size:x}\r\n{}\r\n", "x".repeat(size))?;
            }
            write!(out, "0\r\n\r\n")?;
        } else {
            write!(out, "HTTP/1.1 {status} Text\r\n{ending}Content-Length: {size}\r\n\r\n{}", "x".repeat(size))?;
        }
        out.flush()?;
        if close {
            out.conn.send_close_notify();
            let _ = out.flush();
            return Ok(());
        }
    }
}
