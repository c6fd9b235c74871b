"""How gunicorn runs in every image; WEB_CONCURRENCY sets the number of workers."""

bind = "0.0.0.0:8080"
threads = 4

# Workers touch a file to show that they live. On a disk that blocks, they would be killed for it.
worker_tmp_dir = "/dev/shm"

accesslog = "-"
errorlog = "-"
