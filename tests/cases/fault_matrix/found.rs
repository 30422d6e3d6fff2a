//! What the matrix has found, each as a case by name.
