# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames as the stories need them: read ARP, neighbour discovery and ICMP echo; build answers to them."""

import socket
import struct
from typing import NamedTuple, Optional

ETH_IP, ETH_ARP, ETH_IPV6 = 0x0800, 0x0806, 0x86DD
BROADCAST = "ff:ff:ff:ff:ff:ff"

# ICMP and ICMPv6 types, by what they are.
ECHO_TYPES = {(4, 8): "echo-request", (4, 0): "echo-reply", (6, 128): "echo-request", (6, 129): "echo-reply"}
NS, NA = 135, 136
NA_SOLICITED, NA_OVERRIDE = 0x40000000, 0x20000000


class Frame(NamedTuple):
    """What a frame says."""
    kind: str     # arp-request, arp-reply, arp-probe, arp-announcement, arp-gratuitous, ns, na, na-unsolicited,
                  # echo-request, echo-reply, ip
    eth_src: str  # MAC addresses of the frame
    eth_dst: str
    src: str      # who speaks: IP source, ARP sender address, the target of an NA
    dst: str      # whom it is about: IP destination, ARP target address, the target of an NS
    mac: str      # ARP: the sender's hardware address in the payload; else eth_src
    body: bytes   # ICMP echo: everything after the checksum


def mac_text(raw: bytes) -> str:
    return raw.hex(":")


def mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip_bytes(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def ip_text(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(raw: bytes) -> Optional[Frame]:
    """The frame, or None where it is nothing that the stories look at."""
    if len(raw) < 14:
        return None
    dst, src, ethertype = mac_text(raw[0:6]), mac_text(raw[6:12]), struct.unpack_from("!H", raw, 12)[0]
    if ethertype == ETH_ARP and len(raw) >= 42:
        return parse_arp(dst, src, raw[14:42])
    if ethertype == ETH_IP and len(raw) >= 34:
        header = (raw[14] & 15) * 4
        end = 14 + struct.unpack_from("!H", raw, 16)[0]
        return parse_ip(dst, src, 4, raw[23], ip_text(raw[26:30]), ip_text(raw[30:34]), raw[14 + header:end])
    if ethertype == ETH_IPV6 and len(raw) >= 54:
        end = 54 + struct.unpack_from("!H", raw, 18)[0]
        return parse_ip(dst, src, 6, raw[20], ip_text(raw[22:38]), ip_text(raw[38:54]), raw[54:end])
    return None


def parse_arp(eth_dst: str, eth_src: str, arp: bytes) -> Frame:
    operation = struct.unpack_from("!H", arp, 6)[0]
    mac, sender, target = mac_text(arp[8:14]), ip_text(arp[14:18]), ip_text(arp[24:28])
    if operation == 2:
        kind = "arp-gratuitous" if sender == target else "arp-reply"
    elif sender == "0.0.0.0":
        kind = "arp-probe"
    else:
        kind = "arp-announcement" if sender == target else "arp-request"
    return Frame(kind, eth_src, eth_dst, sender, target, mac, b"")


def parse_ip(eth_dst: str, eth_src: str, version: int, protocol: int, src: str, dst: str, payload: bytes) -> Frame:
    if protocol == (1 if version == 4 else 58) and len(payload) >= 8:
        if version == 6 and payload[0] == NS and len(payload) >= 24:
            return Frame("ns", eth_src, eth_dst, src, ip_text(payload[8:24]), eth_src, b"")
        if version == 6 and payload[0] == NA and len(payload) >= 24:
            solicited = struct.unpack_from("!I", payload, 4)[0] & NA_SOLICITED
            kind = "na" if solicited else "na-unsolicited"
            return Frame(kind, eth_src, eth_dst, ip_text(payload[8:24]), dst, eth_src, b"")
        kind = ECHO_TYPES.get((version, payload[0]))
        if kind:
            return Frame(kind, eth_src, eth_dst, src, dst, eth_src, payload[4:])
    return Frame("ip", eth_src, eth_dst, src, dst, eth_src, b"")


def ethernet(dst: str, src: str, ethertype: int, payload: bytes) -> bytes:
    return mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ethertype) + payload


def arp(operation: int, eth_dst: str, sender_mac: str, sender_ip: str, target_mac: str, target_ip: str) -> bytes:
    payload = struct.pack("!HHBBH", 1, ETH_IP, 6, 4, operation)
    payload += mac_bytes(sender_mac) + ip_bytes(sender_ip) + mac_bytes(target_mac) + ip_bytes(target_ip)
    return ethernet(eth_dst, sender_mac, ETH_ARP, payload)


def arp_request(sender_mac: str, sender_ip: str, target_ip: str) -> bytes:
    return arp(1, BROADCAST, sender_mac, sender_ip, "00:00:00:00:00:00", target_ip)


def solicitation(mac: str, src: str, target: str) -> bytes:
    """A neighbour solicitation to the target's solicited-node group."""
    low = ip_bytes(target)[-3:]
    group = ip_text(ip_bytes("ff02::1:ff00:0")[:-3] + low)
    message = struct.pack("!BBHI", NS, 0, 0, 0) + ip_bytes(target) + struct.pack("!BB", 1, 1) + mac_bytes(mac)
    return ipv6("33:33:ff:" + mac_text(low), mac, src, group, message)


def ipv6(eth_dst: str, eth_src: str, src: str, dst: str, message: bytes) -> bytes:
    """An ICMPv6 message whose checksum field is zero, in its IPv6 and Ethernet frame, checksum filled in."""
    pseudo = ip_bytes(src) + ip_bytes(dst) + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + ip_bytes(src) + ip_bytes(dst)
    return ethernet(eth_dst, eth_src, ETH_IPV6, header + message)


def echo(kind: str, eth_dst: str, eth_src: str, src: str, dst: str, body: bytes) -> bytes:
    """An echo request or reply; body: identifier, sequence, data."""
    if ":" in src:
        message = struct.pack("!BBH", 128 if kind == "echo-request" else 129, 0, 0) + body
        return ipv6(eth_dst, eth_src, src, dst, message)
    message = struct.pack("!BBH", 8 if kind == "echo-request" else 0, 0, 0) + body
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0) + ip_bytes(src) + ip_bytes(dst)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ethernet(eth_dst, eth_src, ETH_IP, header + message)


def answer(request: Frame, mac: str, body: Optional[bytes] = None) -> Optional[bytes]:
    """The reply that the host at `mac` would give to an ARP request, NS or echo request; None for anything else."""
    if request.kind in ("arp-request", "arp-probe"):
        return arp(2, request.eth_src, mac, request.dst, request.mac, request.src)
    if request.kind == "ns":
        option = struct.pack("!BB", 2, 1) + mac_bytes(mac)
        message = struct.pack("!BBHI", NA, 0, 0, NA_SOLICITED | NA_OVERRIDE) + ip_bytes(request.dst) + option
        return ipv6(request.eth_src, mac, request.dst, request.src, message)
    if request.kind == "echo-request":
        body = request.body if body is None else body
        return echo("echo-reply", request.eth_src, mac, request.dst, request.src, body)
    return None
