//! Builds, wires, listens, drains.
