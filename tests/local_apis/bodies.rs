//! Bodies that are refused before they are read as JSON.

use serde_json::json;

use super::bad_requests::{GOOD, is_of_its_api};
use super::harness::Connection;
use super::stage::{Stage, every_model};

#[test]
fn bodies_over_the_limit_and_broken_ones_are_refused_in_the_shape_of_their_api() {
    let stage = Stage::start(&every_model());
    let fields = "content-type: application/json\r\n";
    for (path, good) in GOOD {
        let head = |more: &str| format!("POST {path} HTTP/1.1\r\nhost: app.example\r\n{fields}{more}\r\n\r\n");
        for (request, status) in
            [(head("content-length: 99999999"), 413), (head("transfer-encoding: chunked") + "no size\r\n", 400)]
        {
            let mut connection = Connection::open(stage.router.traffic);
            connection.send(&request);
            let reply = connection.read_reply();
            assert_eq!(reply.head.status, status, "{path}: {}", reply.text());
            is_of_its_api(path, &reply, &request);
            assert_ne!(reply.json()["error_type"], json!("Empty"), "{path}");
            stage.asked(path, good);
        }
    }
}
