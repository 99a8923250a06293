/* SPDX-License-Identifier: Apache-2.0 */
/* Macros of libraries that are loops: cppcheck reads no system headers. */
#pragma once

#define LIST_FOREACH(element, head, link) \
    for ((element) = (head)->lh_first; (element) != NULL; (element) = (element)->link.le_next)
#define TAILQ_FOREACH(element, head, link) \
    for ((element) = (head)->tqh_first; (element) != NULL; (element) = (element)->link.tqe_next)

#define json_array_foreach(array, index, value) \
    for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value) \
    for (key = json_first_key(object); key != NULL && (value = json_value_of(key)) != NULL; key = json_next_key(key))
