//! GETs of a server on this machine.
//!
//! TLS and proxies are tested in `tests/certificate_url`. Invariant: the server is a thread that ends with
//! its listener's last answer.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

/// Serves these answers, one for each connection. Returns the URL, and a thread that returns the request
/// lines.
fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let answer = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).lines().next().unwrap_or_default().to_owned()
        };
        answers.into_iter().map(answer).collect()
    });
    (url, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn elsewhere(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

#[test]
fn an_answer_comes_with_its_path_and_query_and_through_redirects() {
    let (url, served) = serve(vec![elsewhere("/b/c"), elsewhere("d?e=f"), ok("certificate")]);
    assert_eq!(get(&format!("{url}/a?x=y#z"), 100).unwrap(), b"certificate");
    assert_eq!(served.join().unwrap(), ["GET /a?x=y HTTP/1.1", "GET /b/c HTTP/1.1", "GET /b/d?e=f HTTP/1.1"]);
}

#[test]
fn a_url_may_have_a_query_and_no_path() {
    let (url, served) = serve(vec![ok("certificate")]);
    assert_eq!(get(&format!("{url}?x=y"), 100).unwrap(), b"certificate");
    assert_eq!(served.join().unwrap(), ["GET /?x=y HTTP/1.1"]);
}

#[test]
fn what_is_too_large_or_refused_is_said_with_the_host() {
    let (url, served) = serve(vec![ok("12345")]);
    let error = get(&url, 4).unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 answered with more than 4 bytes");
    served.join().unwrap();
    let (url, served) = serve(vec!["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()]);
    assert_eq!(get(&url, 4).unwrap_err().to_string(), "127.0.0.1 answered with status 404");
    served.join().unwrap();
}

#[test]
fn redirects_without_an_end_and_to_other_schemes_are_not_followed() {
    let (url, served) = serve(vec![elsewhere("/again"); MAX_REDIRECTS + 1]);
    assert!(matches!(get(&url, 4), Err(GetError::Redirect { .. })));
    served.join().unwrap();
    let (url, served) = serve(vec![elsewhere("file:///etc/passwd")]);
    assert!(matches!(get(&url, 4), Err(GetError::Redirect { .. })));
    served.join().unwrap();
}

#[test]
fn only_urls_of_http_are_asked() {
    for url in ["ftp://example.com/x", "example.com", "http://", "file:///x", "http:x", ""] {
        assert!(matches!(get(url, 4), Err(GetError::NotHttp)), "{url}");
    }
}

#[test]
fn an_answer_that_never_ends_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut answer = stream.read_exact(&mut [0; 3]);
        answer = answer.and_then(|()| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        // A byte now and then satisfies every deadline of a single read. The loop ends when the client has
        // gone.
        while answer.is_ok() {
            std::thread::sleep(Duration::from_millis(10));
            answer = stream.write_all(b"x");
        }
    });
    let begin = std::time::Instant::now();
    let error = get_within(&url, 1024 * 1024, Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 doesn't answer");
    assert!(begin.elapsed() < Duration::from_secs(10), "waited {:?}", begin.elapsed());
    served.join().unwrap();
}

#[test]
fn a_login_in_a_url_is_sent_and_not_shown() {
    let sent = |url: &str| login(&url.parse().unwrap()).map(|header| header.to_str().unwrap().to_owned());
    assert_eq!(sent("https://me:p%40ss@x/y").as_deref(), Some("Basic bWU6cEBzcw=="));
    assert_eq!(sent("https://me@x").as_deref(), Some("Basic bWU6"));
    assert_eq!(sent("https://x/me@y"), None);
    for (url, shown) in [
        ("https://me:hunter2@x:1/y@z?q", "https://x:1/y@z?q"),
        ("https://me:hunter2@x", "https://x"),
        ("https://a@hunter2@x#y", "https://x#y"),
        ("file:///a@b", "file:///a@b"),
        ("cert@home.pem", "cert@home.pem"),
    ] {
        assert_eq!(without_login(url), shown);
    }
}
