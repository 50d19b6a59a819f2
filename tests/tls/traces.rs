//! Spans go to a collector over TLS, to one that the settings trust alone.

use super::authority::{Authority, Valid};
use super::harness::{Answer, Upstream, Wire, log_field};
use super::{Files, ask, secured};

#[test]
fn a_collector_is_spoken_to_over_tls_where_it_is_trusted() {
    let authority = Authority::new("ca");
    for (name, trusted) in [("localhost", true), ("another.example", false)] {
        let files = Files::new();
        files.write("ca.pem", &authority.pem);
        let up = Upstream::start(Wire::H1, Answer::Fixed(200, "up".to_owned()));
        let shown = Authority::server(&authority.issue(&[name], Valid::Now), &["http/1.1"]);
        let collector = Upstream::start_tls(Wire::H1, Answer::Held, shown);
        let settings = format!(
            "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{tracing: {{otlp: \
             {{endpoint: \"https://localhost:{}\", caCertificates: {}}}, samplingPercentage: 100}}}}\n",
            collector.address.port(),
            files.named("ca.pem"),
        );
        let documents = secured(up.address, Wire::H1, "mode: DISABLE") + &settings;
        let router = files.start(&documents);
        assert_eq!(ask(&router).head.status, 200);
        router.signal("TERM");
        if trusted {
            let exchange = collector.next();
            assert_eq!(exchange.request.uri.path(), "/v1/traces");
            assert_eq!(collector.seen.handshakes()[0].server_name.as_deref(), Some("localhost"));
            exchange.answer(200, "");
        }
        let exit = router.wait_for_end();
        let refused = exit.log.iter().filter(|line| log_field(line, "message") == "the collector does not take traces");
        assert_eq!(refused.count(), usize::from(!trusted), "{name}");
        assert_eq!(collector.seen.requests(), u64::from(trusted), "{name}");
    }
}
