mod aws;
mod batching;
