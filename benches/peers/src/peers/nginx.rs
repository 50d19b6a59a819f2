//! nginx.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use rig::exchange::{Front, HOST, RULE, Wire};

use super::{Peer, Plan, Program, version, weights};
use crate::install;

pub(crate) struct Nginx;

impl Peer for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn obtain(&self, _cache: &Path) -> Result<Program, String> {
        let path = install::from_system("nginx", "nginx-light")?;
        let version = version(&path, "-v")?.replace("nginx version: ", "");
        Ok(Program { path, version })
    }

    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command> {
        let file = plan.folder.join("nginx.conf");
        fs::write(&file, configuration(plan))?;
        let mut command = Command::new(&program.path);
        command.arg("-p").arg(&plan.folder).arg("-c").arg(&file).args(["-e", "stderr"]);
        Ok(command)
    }
}

fn configuration(plan: &Plan) -> String {
    let folder = plan.folder.display();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let kept = "keepalive 512; keepalive_requests 1000000000; keepalive_timeout 300s;";
    let [weight_a, weight_b] = weights(plan);
    let servers = |at: usize, weight: usize| {
        plan.pools[at].iter().fold(String::new(), |mut all, address| {
            // Writing to memory cannot fail.
            let _ = write!(all, "server {address} weight={weight}; ");
            all
        })
    };
    let (only_a, a, b) = (servers(0, 1), servers(0, weight_a), servers(1, weight_b));
    let (listen, certificate) = match plan.front {
        Front::Clear(Wire::H1) => ("", String::new()),
        Front::Clear(Wire::H2) => ("http2", String::new()),
        Front::Tls => {
            let (chain, key) = (plan.certificate.chain.display(), plan.certificate.key.display());
            let files = format!("ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;");
            ("ssl", files)
        }
    };
    let pass = match plan.upstream {
        Wire::H1 => {
            "proxy_pass http://$pool; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
                     proxy_set_header Host $host; proxy_max_temp_file_size 0;"
        }
        Wire::H2 => "grpc_pass grpc://$pool;",
    };
    let variable = RULE.0.replace('-', "_");
    format!(
        "daemon off;\nworker_processes {workers};\npid {folder}/pid;\n{user}\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n  access_log off;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
         uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         keepalive_timeout 300s; keepalive_requests 1000000000; client_max_body_size 10m;\n\
         upstream a {{ {only_a} {kept} }}\n\
         upstream both {{ {a} {b} {kept} }}\n\
         map $http_{variable} $pool {{ default both; {value} a; }}\n\
         server {{\n  listen {listen_at} backlog=1024 {listen};\n  server_name {HOST};\n  {certificate}\n\
         location / {{ {pass} }}\n}}\n}}\n",
        workers = plan.workers,
        value = RULE.1,
        listen_at = plan.listen,
    )
}
