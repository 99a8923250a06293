# SPDX-License-Identifier: Apache-2.0
"""Real servers on a host of the LAN: nginx, vsftpd, Exim, Dovecot; certificates of a made-up authority; and peers
that do what no real server would. All of them end with the host's LAN."""

import os
import shutil
import socket
import subprocess
import threading
import time
from typing import Callable, List, Optional

from lan import Host, run

PATIENCE_S = 20

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder}; default_type text/plain; root {folder}/www;
    server {{
        listen {address}:80;
        location = / {{ return 200 "welcome to $host, $http_user_agent$http_cookie$http_authorization"; }}
        location = /from {{ return 200 "from $remote_addr."; }}
        location = /moved {{ return 302 /; }}
        location = /away {{ return 302 ftp://{address}/; }}
        location = /teapot {{ return 418; }}
        location = /broken {{ return 503; }}
    }}
    server {{ listen {address}:443 ssl; ssl_certificate {folder}/good.pem; ssl_certificate_key {folder}/good.key;
              location = / {{ return 200 "secret of $host, asked for $ssl_server_name"; }} }}
    server {{ listen {address}:444 ssl; ssl_certificate {folder}/old.pem; ssl_certificate_key {folder}/old.key; }}
    server {{ listen {address}:445 ssl; ssl_certificate {folder}/self.pem; ssl_certificate_key {folder}/self.key; }}
}}
"""
VSFTPD = """
listen=YES
listen_address={address}
anonymous_enable=YES
no_anon_password=YES
anon_root={folder}/ftp
secure_chroot_dir={folder}/empty
background=NO
seccomp_sandbox=NO
xferlog_enable=NO
allow_writeable_chroot=YES
"""
VSFTPD_TLS = """
listen_port=990
ssl_enable=YES
implicit_ssl=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
rsa_cert_file={folder}/good.pem
rsa_private_key_file={folder}/good.key
"""
EXIM = """
spool_directory = {folder}/exim
log_file_path = {folder}/exim/%slog
pid_file_path = {folder}/exim/pid
local_interfaces = {address}
daemon_smtp_ports = 25 : 465
tls_on_connect_ports = 465
tls_advertise_hosts =
tls_certificate = {folder}/good.pem
tls_privatekey = {folder}/good.key
host_lookup =
"""
DOVECOT = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
protocols = imap pop3
listen = {address}
log_path = {folder}/dovecot.log
ssl = yes
ssl_cert = <{folder}/good.pem
ssl_key = <{folder}/good.key
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Authority:
    """Makes certificates, in a folder."""

    def __init__(self, folder: str):
        self.folder = folder
        self.request("ca", "-x509", "-days", "3650")
        self.sign("good", "shop.example.net", 365)
        # Exim reads it as the user that it becomes.
        os.chmod(self.path("good.key"), 0o644)
        self.sign("old", "shop.example.net", -1)
        self.request("self", "-x509", "-days", "365", "-addext", "subjectAltName=DNS:shop.example.net")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def request(self, name: str, *more: str) -> None:
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path(f"{name}.key"), "-out",
            self.path(f"{name}.pem"), "-subj", f"/CN={name}", *more)

    def sign(self, name: str, host: str, days: int) -> None:
        self.request(name)
        os.rename(self.path(f"{name}.pem"), self.path(f"{name}.csr"))
        with open(self.path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName=DNS:{host}\n")
        run("openssl", "x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path("ca.pem"), "-CAkey",
            self.path("ca.key"), "-CAcreateserial", "-days", str(days), "-extfile", self.path(f"{name}.ext"), "-out",
            self.path(f"{name}.pem"))


class Servers:
    """All of them on one address."""

    def __init__(self, host: Host, address: str):
        self.host, self.address = host, address
        self.folder = os.path.join(host.lan.directory, f"servers-{host.name}")
        self.running: List[subprocess.Popen] = []
        for name in ("www", "ftp", "empty", "dovecot"):
            os.makedirs(os.path.join(self.folder, name))
        for name, user in (("exim", "Debian-exim"), ("mail", "nobody")):
            os.makedirs(os.path.join(self.folder, name))
            shutil.chown(os.path.join(self.folder, name), user)
        host.lan.closers.append(self.stop)
        self.authority = Authority(self.folder)
        with open(os.path.join(self.folder, "www", "big"), "w", encoding="ascii") as file:
            file.write("x" * 65000 + "early" + "x" * 200000 + "late")
        with open(os.path.join(self.folder, "ftp", "hello.txt"), "w", encoding="ascii") as file:
            file.write("hello from ftp\n")
        self.start(["nginx", "-e", f"{self.folder}/nginx.log", "-c", self.write("nginx.conf", NGINX)], 80)
        self.start(["vsftpd", self.write("vsftpd.conf", VSFTPD)], 21)
        self.start(["vsftpd", self.write("vsftpd-tls.conf", VSFTPD + VSFTPD_TLS)], 990)
        self.start(["exim4", "-bdf", "-C", self.write("exim.conf", EXIM)], 25)
        self.start(["dovecot", "-F", "-c", self.write("dovecot.conf", DOVECOT)], 143)

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(folder=self.folder, address=self.address))
        os.chmod(path, 0o600)
        return path

    def start(self, argv: List[str], port: int) -> None:
        with open(os.path.join(self.folder, "output"), "ab") as output:
            process = self.host.start(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.running.append(process)
        end = time.monotonic() + PATIENCE_S
        while not self.accepts(port):
            if time.monotonic() > end or process.poll() is not None:
                with open(os.path.join(self.folder, "output"), encoding="utf-8") as file:
                    raise RuntimeError(f"{argv[0]} does not start:\n{file.read()}")
            time.sleep(0.02)

    def accepts(self, port: int) -> bool:
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex((self.address, port)) == 0

    def stop(self) -> None:
        """They end what they started when they are asked to."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


class Peer:
    """Accepts, and does with each connection what `manners` does; what it leaves open stays so until the end."""

    def __init__(self, host: Host, address: str, manners: Optional[Callable[[socket.socket], None]] = None):
        self.listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind((address, 0))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        self.manners = manners
        self.open: List[socket.socket] = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.open.append(connection)
            if self.manners:
                try:
                    self.manners(connection)
                except OSError:
                    pass  # the other side had enough

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.open:
            connection.close()
