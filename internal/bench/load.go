package main

// This file loads one address over many connections and counts the answers.

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// loadFor is how long one small-request measurement lasts.
const loadFor = 4 * time.Second

// load sends the same request over 16 connections for loadFor and returns answers per second. The client does as little
// as possible, because the server is measured.
func load(addr, path, auth string) (float64, error) {
	return loadStatus(addr, path, auth, http.StatusOK, "")
}

// loadStatus is load for a request with more header lines and answers of another status.
func loadStatus(addr, path, auth string, status int, lines string) (float64, error) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n" + lines)
	if auth != "" {
		request = append(request, "Authorization: "+auth+"\r\n"...)
	}
	request = append(request, "\r\n"...)
	var count atomic.Int64
	start := time.Now()
	err := parallel(16, func(int) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 16<<10)
		for time.Since(start) < loadFor {
			if _, err := conn.Write(request); err != nil {
				return err
			}
			if err := skipAnswer(in, status, false); err != nil {
				return err
			}
			count.Add(1)
		}
		return nil
	})
	return float64(count.Load()) / time.Since(start).Seconds(), err
}

// skipAnswer reads one answer, which must have the status and, unless it has no body or head is set, a Content-Length.
func skipAnswer(in *bufio.Reader, status int, head bool) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 "+strconv.Itoa(status))) {
		return fmt.Errorf("answer %q", line)
	}
	length := -1
	if status == http.StatusNotModified || head {
		length = 0
	}
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok && !head {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("answer without Content-Length")
	}
	_, err = in.Discard(length)
	return err
}
