// SPDX-License-Identifier: Apache-2.0
// Doubly linked list through Connection::list_previous/list_next, most recently used first. A
// connection is in at most one list; lists own nothing.
#pragma once

#include <cstdint>

#include "connection/connection.h"

namespace sonde::connection {

class ConnectionList {
 public:
  // `number` is stored in the members so that a connection knows its list; not 0.
  explicit ConnectionList(uint8_t number) : number_(number) {}

  Connection* front() const { return front_; }
  Connection* back() const { return back_; }
  bool Has(const Connection& connection) const { return connection.list == number_; }

  void PushFront(Connection& connection) {
    connection.list = number_;
    connection.list_previous = nullptr;
    connection.list_next = front_;
    (front_ != nullptr ? front_->list_previous : back_) = &connection;
    front_ = &connection;
  }

  void Remove(Connection& connection) {
    (connection.list_previous != nullptr ? connection.list_previous->list_next : front_) =
        connection.list_next;
    (connection.list_next != nullptr ? connection.list_next->list_previous : back_) =
        connection.list_previous;
    connection.list = 0;
  }

 private:
  uint8_t number_;
  Connection* front_ = nullptr;
  Connection* back_ = nullptr;
};

}  // namespace sonde::connection
