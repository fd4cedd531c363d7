//! etcd's history, and its end: what an administrator, or the API server every few minutes, throws away.
//!
//! Over etcd's own JSON interface on its socket, because no client of etcd is among the programs of the toolchain. Invariant:
//! only the past is removed; every object stays as it is.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::ControlPlane;

/// etcd's socket in the control plane's directory.
const ETCD_SOCKET: &str = "etcd.sock";

impl ControlPlane {
    /// Throws away every version of every object but the present one. The API server remembers some of the last ones
    /// itself, until it is started again.
    ///
    /// # Panics
    /// When etcd refuses it.
    #[track_caller]
    pub fn compact(&self) {
        let any = self.ask_etcd("/v3/kv/range", &json!({"key": "AA==", "limit": "1"}));
        let now = &any["header"]["revision"];
        self.ask_etcd("/v3/kv/compaction", &json!({"revision": now, "physical": true}));
    }

    #[track_caller]
    fn ask_etcd(&self, path: &str, body: &Value) -> Value {
        let mut etcd = UnixStream::connect(self.dir().join(ETCD_SOCKET)).expect("etcd serves");
        let body = body.to_string();
        // HTTP/1.0, so that the answer ends with the connection.
        let head = format!("POST {path} HTTP/1.0\r\nhost: etcd\r\ncontent-length: {}\r\n\r\n", body.len());
        etcd.write_all((head + &body).as_bytes()).expect("etcd reads");
        let mut answer = String::new();
        etcd.read_to_string(&mut answer).expect("etcd answers in JSON");
        let (head, body) = answer.split_once("\r\n\r\n").expect("etcd speaks HTTP");
        assert!(head.split(' ').nth(1) == Some("200"), "{path}: {answer}");
        serde_json::from_str(body).expect("etcd answers in JSON")
    }
}
