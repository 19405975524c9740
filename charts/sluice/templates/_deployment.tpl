{{- /* the Deployment of a role: (dict "root" $ "role" "api" "of" .Values.api) */ -}}
{{- define "sluice.deployment" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $of := .of }}
{{- $values := .root.Values }}
{{- $name := include "sluice.name" .root }}
{{- $proxied := and $values.egressProxy.enabled (ne $role "scanner") }}
{{- $mounted := or (ne $role "api") $values.api.mountVolume }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}-{{ $role }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "sluice.labels" (dict "root" $root "part" $role) | nindent 4 }}
spec:
  {{- if not (and (eq $role "uploader") (ne $values.autoscaling.type "none")) }}
  replicas: {{ $of.replicas }}
  {{- end }}
  {{- if eq $role "scanner" }}
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  {{- else if eq $role "uploader" }}
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 1 }
  {{- end }}
  selector:
    matchLabels: {{- include "sluice.selector" (dict "root" $root "part" $role) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "sluice.labels" (dict "root" $root "part" $role) | nindent 8 }}
        sluice/app: {{ $name }}
        {{- if and (eq $role "uploader") $values.uploader.workloadIdentityClientId }}
        azure.workload.identity/use: "true"
        {{- end }}
      annotations:
        # a changed setting rolls the pods
        checksum/settings: {{ include (print $root.Template.BasePath "/settings.yaml") $root | sha256sum }}
        {{- with $of.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ $name }}{{ if eq $role "uploader" }}-uploader{{ end }}
      {{- include "sluice.podBasics" $root | nindent 6 }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        seccompProfile: { type: RuntimeDefault }
        {{- if and (eq $role "uploader") $values.uploader.staging.diskSize }}
        fsGroup: 10001
        fsGroupChangePolicy: OnRootMismatch
        {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "sluice.selector" (dict "root" $root "part" $role) | nindent 14 }}
      {{- with $of.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $of.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ $role }}
          image: {{ include "sluice.image" $root }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          args: [node, dist/apps/{{ $role }}/main.js]
          envFrom:
            - configMapRef: { name: {{ $name }}-settings }
            {{- if eq $role "uploader" }}
            - secretRef: { name: {{ $values.uploader.azureSecret | default (printf "%s-azure" $name) }}, optional: true }
            {{- end }}
            {{- if $proxied }}
            - secretRef: { name: {{ $values.egressProxy.secret | default (printf "%s-proxy" $name) }}, optional: true }
            {{- end }}
            {{- with $of.extraEnvFrom }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          env:
            {{- if eq $role "api" }}
            - name: APP_API_TOKEN
              valueFrom:
                secretKeyRef: { name: {{ $values.api.tokenSecret.name | default (printf "%s-api" $name) }}, key: {{ $values.api.tokenSecret.key }} }
            {{- end }}
            {{- include "sluice.redisEnv" $root | nindent 12 }}
            {{- if and (eq $role "uploader") $values.uploader.workloadIdentityClientId }}
            - { name: APP_AZURE_CREDENTIAL, value: identity }
            - { name: AZURE_TOKEN_CREDENTIALS, value: WorkloadIdentityCredential }
            {{- end }}
            {{- if and (eq $role "uploader") $values.uploader.sasSecret }}
            - { name: APP_AZURE_CREDENTIAL, value: sas }
            - { name: APP_AZURE_SAS_FILE, value: /etc/sluice/sas }
            {{- end }}
            {{- if $proxied }}
            - { name: NODE_EXTRA_CA_CERTS, value: /etc/sluice-proxy-ca/ca.crt }
            {{- end }}
            {{- with $of.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- if eq $role "api" }}
          lifecycle:
            preStop:
              exec: { command: [sleep, '5'] }
          {{- end }}
          ports:
            - { name: http, containerPort: 8000 }
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 60
            timeoutSeconds: 15
            failureThreshold: 5
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 3
          startupProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 2
            timeoutSeconds: 5
            failureThreshold: 45
          resources: {{- toYaml $of.resources | nindent 12 }}
          securityContext: {{- include "sluice.containerSecurity" $root | nindent 12 }}
          {{- if or $mounted $proxied $of.extraVolumeMounts }}
          volumeMounts:
            {{- if $mounted }}
            - { name: nfs, mountPath: /mnt/nfs{{ if eq $role "api" }}, readOnly: true{{ end }} }
            {{- end }}
            {{- if eq $role "uploader" }}
            - { name: staging, mountPath: /mnt/staging }
            {{- if $values.uploader.sasSecret }}
            - { name: sas, mountPath: /etc/sluice, readOnly: true }
            {{- end }}
            {{- end }}
            {{- if $proxied }}
            - { name: proxy-ca, mountPath: /etc/sluice-proxy-ca, readOnly: true }
            {{- end }}
            {{- with $of.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- end }}
      {{- if or $mounted $proxied $of.extraVolumes }}
      volumes:
        {{- if $mounted }}
        - name: nfs
          persistentVolumeClaim: { claimName: {{ include "sluice.claim" $root }} }
        {{- end }}
        {{- if eq $role "uploader" }}
        {{- with $values.uploader.sasSecret }}
        - name: sas
          secret: { secretName: {{ . }} }
        {{- end }}
        - name: staging
          {{- with $values.uploader.staging }}
          {{- if .diskSize }}
          ephemeral:
            volumeClaimTemplate:
              metadata:
                labels: {{- include "sluice.selector" (dict "root" $root "part" "uploader") | nindent 18 }}
              spec:
                accessModes: [ReadWriteOnce]
                {{- with .diskStorageClass }}
                storageClassName: {{ . }}
                {{- end }}
                resources:
                  requests: { storage: {{ .diskSize }} }
          {{- else }}
          emptyDir: { sizeLimit: {{ .emptyDirSize }} }
          {{- end }}
          {{- end }}
        {{- end }}
        {{- if $proxied }}
        - name: proxy-ca
          configMap: { name: {{ $values.egressProxy.caConfigMap | default (printf "%s-proxy-ca" $name) }}, optional: true }
        {{- end }}
        {{- with $of.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}-{{ $role }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "sluice.labels" (dict "root" $root) | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "sluice.selector" (dict "root" $root "part" $role) | nindent 6 }}
{{- end }}
