/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program is root's alone, so that who may not be root cannot choose what runs as root. */
#pragma once

/* Room for the sentence that says what is wrong, with its NUL. */
#define SAFETY_WHY 512

/*
 * Walks to the program step by step, through symbolic links too. The file, each folder that is passed and each link
 * must be root's, file and folders not writable by group or others (also not in a folder with the sticky bit, as
 * /tmp), and the file regular and executable. An ACL that lets others write shows in the group's bits, too.
 *
 * Returns an O_PATH descriptor of the file, close-on-exec; or -EPERM: not safe, -ENOENT and others of its kind: not
 * there, else negative errno; each with a sentence that names the file or folder.
 */
int safety_open(const char *path, char ret_why[static SAFETY_WHY]);
