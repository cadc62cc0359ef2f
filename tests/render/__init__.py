"""Dashboards drawn from their JSON and from a real Prometheus's answers, with Chromium: for pictures, without Grafana."""
