#pragma once

#include "io/io_engine.h"

namespace snapshard {

// A first-in-first-out list of requests, linked through themselves. Not synchronised.
class RequestQueue {
 public:
  [[nodiscard]] bool empty() const { return head_ == nullptr; }

  void push(IoRequest* request) {
    request->next = nullptr;
    (tail_ == nullptr ? head_ : tail_->next) = request;
    tail_ = request;
  }

  // nullptr when empty.
  IoRequest* pop() {
    IoRequest* request = head_;
    if (request == nullptr) return nullptr;
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    request->next = nullptr;
    return request;
  }

  void append(RequestQueue& other) {
    while (IoRequest* request = other.pop()) push(request);
  }

 private:
  IoRequest* head_ = nullptr;
  IoRequest* tail_ = nullptr;
};

}  // namespace snapshard
