//! The `overspill` program.

fn main() {}
