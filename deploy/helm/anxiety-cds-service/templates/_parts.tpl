{{/* What every object is called, and how its pods are found. */}}
{{- define "cds.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "cds.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cds.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* How every pod runs: as nobody, from a file system that it cannot write. */}}
{{- define "cds.pod" -}}
# Otherwise a Service in this namespace could set CDS_ variables, and the service would not start.
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
  - name: secrets
    secret:
      secretName: {{ .Values.secret.name }}
      defaultMode: 0440
  {{- if .Values.content.claim }}
  - name: content
    persistentVolumeClaim:
      claimName: {{ .Values.content.claim }}
      readOnly: true
  {{- end }}
{{- end }}

{{- define "cds.container" -}}
image: {{ include "cds.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: CDS_STORE_URL_FILE, value: /run/secrets/cds/store-url}
  - {name: CDS_HASH_KEY_FILE, value: /run/secrets/cds/hash-key}
  {{- if .Values.secret.redis }}
  - {name: CDS_REDIS_URL_FILE, value: /run/secrets/cds/redis-url}
  {{- end }}
  - {name: CDS_WORKERS, value: {{ .Values.workers | quote }}}
  - {name: CDS_METRICS_OPEN, value: "true"}
  {{- if .Values.content.claim }}
  - {name: CDS_CARDS_DIR, value: {{ printf "/content/%s" .Values.content.folder | quote }}}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - {name: {{ $name }}, value: {{ $value | toString | quote }}}
  {{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/cds, readOnly: true}
  {{- if .Values.content.claim }}
  - {name: content, mountPath: /content, readOnly: true}
  {{- end }}
{{- end }}
