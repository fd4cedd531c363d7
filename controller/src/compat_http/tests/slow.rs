//! Clients that send a byte a second, for ever.
//!
//! In real time, over real sockets. Invariant: a slow client holds anything only for a bounded time, and
//! nobody waits for it.

use std::thread;

use super::*;

/// Sends `begin` and then a byte a second; returns the server's answer, and the time until the server ended
/// it.
fn trickle(address: SocketAddr, begin: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while begun.elapsed() < 4 * BODY_TIME {
        let is_open = match stream.read(&mut buffer) {
            Ok(read) => {
                answer.extend_from_slice(&buffer[..read]);
                read > 0
            }
            Err(error) => {
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        };
        if !is_open || stream.write_all(b"x").is_err() {
            break;
        }
    }
    (String::from_utf8(answer).unwrap(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_hold_up_nobody() {
    let server = start(&options(), true).await;
    let head = "POST /v1/verify HTTP/1.1\r\nHost: x\r\n";
    let body = format!("{head}Content-Length: 1000\r\n\r\n{{");
    let start = |begin: &str| {
        let (address, begin) = (server.address, begin.to_owned());
        thread::spawn(move || trickle(address, &begin))
    };
    // More clients than there are objects at work at once.
    let slow: Vec<_> =
        (0..2 * AT_ONCE).flat_map(|_| [(start(head), ""), (start(&body), "HTTP/1.1 408 ")]).collect();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.send("GET", "/v1/cert.pem", b"").await.0, 200);
        assert_eq!(server.post("/v1/verify", &sealed("prod")).await.0, 200);
    }
    assert!(slow.iter().all(|(client, _)| !client.is_finished()), "they were there all the time");
    for (client, expected) in slow {
        let (answer, after) = client.join().unwrap();
        assert!(answer.starts_with(expected) && answer.is_empty() == expected.is_empty(), "{answer}");
        assert!(after >= BODY_TIME && after < 3 * BODY_TIME, "{after:?}: {answer}");
    }
}
