//! Every row of the HTTP side.
