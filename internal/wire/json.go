package wire

// Answers in JSON.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"larder/internal/budget"
)

// JSON writes v as a complete JSON answer. It is rendered first, so that an error leaves the answer unwritten;
// what a slow client keeps waiting here is of its request's share of the memory.
func JSON(w http.ResponseWriter, status int, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("render JSON answer: %w", err)
	}
	if held, ok := w.(*response); ok {
		if err := budget.Take(held.x, int64(buf.Cap())); err != nil {
			return err
		}
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write JSON answer: %w", err)
	}
	return nil
}
