#![doc = include_str!("ARCHITECTURE.md")]

// In layer order, top down; an import points down.
pub mod config;
pub mod domain;
