//! The picture in style.md, executable.
