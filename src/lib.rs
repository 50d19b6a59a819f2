#![doc = include_str!("ARCHITECTURE.md")]

// In layer order, top down; an import points down.
pub mod cli;

pub mod app;

pub mod admin;
pub mod control;
pub mod proxy;

pub mod live;

pub mod accept;
pub mod fallback;
pub mod scaling;
pub mod telemetry;
pub mod tls;
pub mod upstream;
pub mod wire;

pub mod snapshot;

pub mod config;
pub mod pool;
pub mod routing;

pub mod domain;
