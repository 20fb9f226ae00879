"""How much the web server of the embedded profile does and takes at a time."""

WEB_THREADS = 8  #: requests answered at a time; half of them may be waiting for a job
MAX_BODY_BYTES = 32 * 1024 * 1024
